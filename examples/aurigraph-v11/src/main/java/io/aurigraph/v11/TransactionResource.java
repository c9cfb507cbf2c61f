// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.smallrye.common.annotation.Blocking;
import jakarta.inject.Inject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.NotFoundException;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.core.Response;
import java.math.BigDecimal;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Transactions: each is stored once, however often it is sent. */
@Path("/api/v11/transactions")
@Blocking
public class TransactionResource {
    private static final int SHOWN = 20;

    /** What a client sends. */
    public record NewTransaction(String reference, BigDecimal amount) {}

    /** The newest transactions and how many there are. */
    public record Page(long count, List<Transaction> transactions) {}

    @Inject TransactionStore store;

    @GET
    public Page list() throws SQLException {
        return new Page(store.count(), store.newest(SHOWN));
    }

    @GET
    @Path("by-key/{key}")
    public Transaction byKey(@PathParam("key") String key) throws SQLException {
        return store.byKey(key).orElseThrow(NotFoundException::new);
    }

    @POST
    public Response create(@HeaderParam("Idempotency-Key") String key, NewTransaction body) throws SQLException {
        if (key == null || key.isBlank()) {
            return refuse("the header Idempotency-Key is missing");
        }
        if (body == null || body.reference() == null || body.amount() == null) {
            return refuse("reference and amount are needed");
        }
        Optional<Transaction> inserted = store.insert(key, body.reference(), body.amount());
        if (inserted.isPresent()) {
            return Response.status(Response.Status.CREATED).entity(inserted.get()).build();
        }
        return Response.ok(store.byKey(key).orElseThrow(NotFoundException::new)).build();
    }

    private static Response refuse(String why) {
        return Response.status(Response.Status.BAD_REQUEST).entity(Map.of("error", why)).build();
    }
}
