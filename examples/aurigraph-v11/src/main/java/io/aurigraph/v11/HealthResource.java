// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.smallrye.common.annotation.Blocking;
import jakarta.inject.Inject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.core.Response;

/** The health of the API, for people and for the gate of a release. */
@Path("/api/v11/health")
@Blocking
public class HealthResource {
    /** The answer's body. */
    public record Health(String status, String version, String commit, boolean database, boolean redis) {}

    @Inject Instance instance;
    @Inject Dependencies dependencies;
    @Inject Switches switches;

    @GET
    public Response health() {
        boolean up = !switches.unhealthy();
        Dependencies.Reached reached = dependencies.reached();
        Health body = new Health(
                up ? "UP" : "DOWN",
                instance.version(),
                instance.commit(),
                reached.database(),
                reached.redis());
        return Response.status(up ? 200 : 503).entity(body).build();
    }
}
