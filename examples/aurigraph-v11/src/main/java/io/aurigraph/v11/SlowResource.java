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
import org.jboss.resteasy.reactive.RestMulti;

/** Requests that take their time, a minute at most. */
@Path("/api/v11")
@Produces(MediaType.TEXT_PLAIN)
public class SlowResource {
    private static final long MAX_MILLIS = 60_000;

    /** Answers after {@code ms} milliseconds. */
    @GET
    @Path("slow")
    public Uni<String> slow(@QueryParam("ms") @DefaultValue("3000") long millis) {
        long bounded = Math.clamp(millis, 1, MAX_MILLIS);
        return Uni.createFrom().item("done\n").onItem().delayIt().by(Duration.ofMillis(bounded));
    }

    /** Sends a line each {@code interval_ms} for {@code seconds}, then {@code end}. */
    @GET
    @Path("stream")
    public Multi<String> stream(
            @QueryParam("seconds") @DefaultValue("10") long seconds,
            @QueryParam("interval_ms") @DefaultValue("500") long interval) {
        // a proxy must pass each line on as it comes
        return RestMulti.fromMultiData(lines(seconds, interval)).header("X-Accel-Buffering", "no").build();
    }

    static Multi<String> lines(long seconds, long interval) {
        long each = Math.clamp(interval, 10, MAX_MILLIS);
        long count = Math.max(1, Math.clamp(seconds, 1, MAX_MILLIS / 1000) * 1000 / each);
        Multi<String> body = Multi.createFrom().ticks().every(Duration.ofMillis(each))
                // a client that reads slowly misses lines, never the end
                .onOverflow().drop()
                .select().first(count)
                .map(number -> "line " + number + "\n");
        return Multi.createBy().concatenating().streams(body, Multi.createFrom().item("end\n"));
    }
}
