// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import java.sql.SQLException;
import java.util.Map;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/** What a client is told when the database fails: 503 when asking again later helps, 500 otherwise. */
public class DatabaseErrors {
    private static final Logger LOG = Logger.getLogger(DatabaseErrors.class);

    @ServerExceptionMapper
    public Response answer(SQLException e) {
        LOG.errorf("The database failed a request: %s", e.getMessage());
        if (isTemporary(e.getSQLState())) {
            return Response.status(Response.Status.SERVICE_UNAVAILABLE)
                    .header(HttpHeaders.RETRY_AFTER, 1)
                    .entity(Map.of("error", "the database does not answer"))
                    .build();
        }
        return Response.serverError().entity(Map.of("error", "the database refused this")).build();
    }

    /** No state comes from the pool; 08 is the connection, 53 lack of resources, 57 an operator who intervened. */
    static boolean isTemporary(String state) {
        return state == null || state.startsWith("08") || state.startsWith("53") || state.startsWith("57");
    }
}
