// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.inject.Inject;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.core.Response;
import java.util.Map;
import org.jboss.resteasy.reactive.server.ServerRequestFilter;

/** Applies the switches to API requests. */
public class SwitchFilter {
    @Inject Switches switches;

    /** Holds a request back or fails it, as the switches say. */
    @ServerRequestFilter(nonBlocking = false)
    public Response apply(ContainerRequestContext request) {
        if (switches.slowMillis() > 0) {
            Switches.pause(switches.slowMillis());
        }
        if (switches.apiErrors()) {
            return Response.status(Response.Status.INTERNAL_SERVER_ERROR)
                    .entity(Map.of("error", "TEST_API_ERRORS is set"))
                    .build();
        }
        return null;
    }
}
