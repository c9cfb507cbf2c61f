// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.smallrye.mutiny.Uni;
import jakarta.inject.Inject;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.Map;
import org.jboss.resteasy.reactive.server.ServerRequestFilter;

/** Applies the switches to API requests. */
public class SwitchFilter {
    @Inject Switches switches;

    /** Holds a request back or fails it, as the switches say; no thread waits meanwhile. */
    @ServerRequestFilter
    public Uni<Response> apply() {
        Uni<Response> answer = Uni.createFrom().item(switches.apiErrors() ? failure() : null);
        return switches.slow().isPositive() ? answer.onItem().delayIt().by(switches.slow()) : answer;
    }

    private static Response failure() {
        return Response.serverError()
                .type(MediaType.APPLICATION_JSON_TYPE)
                .entity(Map.of("error", "TEST_API_ERRORS is set"))
                .build();
    }
}
