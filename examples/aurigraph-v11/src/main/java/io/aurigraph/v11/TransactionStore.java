// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.sql.DataSource;

/** Transactions in PostgreSQL. */
@Singleton
public class TransactionStore {
    private static final String COLUMNS = "id, idempotency_key, reference, amount, created";
    private static final String BY_KEY = "SELECT " + COLUMNS + " FROM transactions WHERE idempotency_key = ?";
    private static final String NEWEST = "SELECT " + COLUMNS + " FROM transactions ORDER BY id DESC LIMIT ?";
    private static final String INSERT =
            "INSERT INTO transactions (idempotency_key, reference, amount) VALUES (?, ?, ?)"
                    + " ON CONFLICT (idempotency_key) DO NOTHING RETURNING " + COLUMNS;

    @Inject DataSource database;

    /** Stores a transaction, unless one with its key is there: then nothing is returned. */
    public Optional<Transaction> insert(String key, String reference, BigDecimal amount) throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(INSERT)) {
            statement.setString(1, key);
            statement.setString(2, reference);
            statement.setBigDecimal(3, amount);
            return rows(statement).stream().findFirst();
        }
    }

    public Optional<Transaction> byKey(String key) throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(BY_KEY)) {
            statement.setString(1, key);
            return rows(statement).stream().findFirst();
        }
    }

    public List<Transaction> newest(int limit) throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(NEWEST)) {
            statement.setInt(1, limit);
            return rows(statement);
        }
    }

    public long count() throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM transactions");
                ResultSet result = statement.executeQuery()) {
            result.next();
            return result.getLong(1);
        }
    }

    private static List<Transaction> rows(PreparedStatement statement) throws SQLException {
        List<Transaction> found = new ArrayList<>();
        try (ResultSet result = statement.executeQuery()) {
            while (result.next()) {
                found.add(new Transaction(
                        result.getLong(1),
                        result.getString(2),
                        result.getString(3),
                        result.getBigDecimal(4),
                        result.getObject(5, OffsetDateTime.class)));
            }
        }
        return found;
    }
}
