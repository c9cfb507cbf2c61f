// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.quarkus.redis.datasource.RedisDataSource;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.jboss.logging.Logger;

/** Whether the database and Redis answer. Never throws. */
@Singleton
public class Dependencies {
    private static final Logger LOG = Logger.getLogger(Dependencies.class);
    private static final int SECONDS = 2;

    @Inject DataSource database;
    @Inject RedisDataSource redis;

    public boolean databaseReached() {
        try (Connection connection = database.getConnection()) {
            return connection.isValid(SECONDS);
        } catch (SQLException | RuntimeException e) {
            LOG.warnf("The database does not answer: %s", e.getMessage());
            return false;
        }
    }

    public boolean redisReached() {
        try {
            return redis.execute("PING").toString().contains("PONG");
        } catch (RuntimeException e) {
            LOG.warnf("Redis does not answer: %s", e.getMessage());
            return false;
        }
    }
}
