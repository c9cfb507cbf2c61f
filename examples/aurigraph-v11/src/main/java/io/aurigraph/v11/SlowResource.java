// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.time.Duration;

/** Requests that take their time. */
@Path("/api/v11")
public class SlowResource {
    private static final long MAX_MILLIS = 60_000;

    /** Answers after {@code ms} milliseconds. */
    @GET
    @Path("slow")
    @Produces(MediaType.TEXT_PLAIN)
    public Uni<String> slow(@QueryParam("ms") @DefaultValue("3000") long millis) {
        long bounded = Math.clamp(millis, 1, MAX_MILLIS);
        return Uni.createFrom().item("done\n").onItem().delayIt().by(Duration.ofMillis(bounded));
    }

    /** Sends a line each {@code interval_ms} for {@code seconds}, then {@code end}. */
    @GET
    @Path("stream")
    @Produces(MediaType.TEXT_PLAIN)
    public Multi<String> stream(
            @QueryParam("seconds") @DefaultValue("10") long seconds,
            @QueryParam("interval_ms") @DefaultValue("500") long interval) {
        long each = Math.clamp(interval, 10, MAX_MILLIS);
        long lines = Math.max(1, Math.clamp(seconds, 1, MAX_MILLIS / 1000) * 1000 / each);
        Multi<String> body = Multi.createFrom().ticks().every(Duration.ofMillis(each)).select().first(lines)
                .map(number -> "line " + number + "\n");
        return Multi.createBy().concatenating().streams(body, Multi.createFrom().item("end\n"));
    }
}
