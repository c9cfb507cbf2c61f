// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.quarkus.scheduler.Scheduled;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.jboss.logging.Logger;

/** A scheduled job that leaves a row for each run of the last day, so that running in two places shows. */
@Singleton
public class Job {
    private static final Logger LOG = Logger.getLogger(Job.class);
    private static final String RUN =
            "WITH old AS (DELETE FROM job_run WHERE at < now() - interval '1 day')"
                    + " INSERT INTO job_run (slot) VALUES (?)";

    @Inject DataSource database;
    @Inject Instance instance;

    @Scheduled(every = "5s", delayed = "5s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    void run() {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(RUN)) {
            statement.setString(1, instance.slot());
            statement.executeUpdate();
        } catch (SQLException e) {
            LOG.warnf("The job could not write its row: %s", e.getMessage());
        }
    }
}
