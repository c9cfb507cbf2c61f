// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.quarkus.redis.datasource.RedisDataSource;
import io.quarkus.runtime.Startup;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import javax.sql.DataSource;
import org.jboss.logging.Logger;

/** Whether the database and Redis answer. Never throws, and never takes longer than {@link #PATIENCE} for both. */
@Singleton
public class Dependencies {
    private static final Logger LOG = Logger.getLogger(Dependencies.class);
    private static final Duration PATIENCE = Duration.ofMillis(1500);

    private final Probe database;
    private final Probe redis;

    /** What was reached. */
    public record Reached(boolean database, boolean redis) {}

    @Inject
    Dependencies(DataSource source, RedisDataSource client, ExecutorService executor) {
        database = new Probe("The database", () -> ask(source), executor);
        redis = new Probe("Redis", () -> ask(client), executor);
    }

    /** Asks both at the same time. */
    public Reached reached() {
        long end = System.nanoTime() + PATIENCE.toNanos();
        database.start();
        redis.start();
        return new Reached(database.result(end - System.nanoTime()), redis.result(end - System.nanoTime()));
    }

    /** Opens the first connections before the first request needs them. */
    @Startup
    void warmUp() {
        reached();
    }

    private static boolean ask(DataSource source) throws SQLException {
        // the pool validates what it hands out, so a connection is an answer
        try (Connection connection = source.getConnection()) {
            return !connection.isClosed();
        }
    }

    private static boolean ask(RedisDataSource client) {
        try {
            return ping(client);
        } catch (RuntimeException e) {
            LOG.debugf("Redis is asked again on a new connection: %s", e.getMessage());
            return ping(client);
        }
    }

    private static boolean ping(RedisDataSource client) {
        return client.execute("PING").toString().contains("PONG");
    }
}
