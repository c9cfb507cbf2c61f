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
    private static final int LONGEST = 200;
    private static final int SCALE = 2;
    private static final int DIGITS = 16;

    private final TransactionStore store;

    /** What a client sends. */
    public record NewTransaction(String reference, BigDecimal amount) {}

    /** The newest transactions and how many there are. */
    public record Page(long count, List<Transaction> transactions) {}

    @Inject
    TransactionResource(TransactionStore store) {
        this.store = store;
    }

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
        Optional<String> wrong = wrong(key, body);
        if (wrong.isPresent()) {
            return Response.status(Response.Status.BAD_REQUEST).entity(Map.of("error", wrong.get())).build();
        }
        Optional<Transaction> inserted = store.insert(key, body.reference(), body.amount());
        if (inserted.isPresent()) {
            return Response.status(Response.Status.CREATED).entity(inserted.get()).build();
        }
        return Response.ok(store.byKey(key).orElseThrow(NotFoundException::new)).build();
    }

    /** What the database would not take, so that it is the client's error and not the server's. */
    private static Optional<String> wrong(String key, NewTransaction body) {
        if (key == null || key.isBlank() || key.length() > LONGEST) {
            return Optional.of("the header Idempotency-Key needs 1 to " + LONGEST + " characters");
        }
        String reference = body == null ? null : body.reference();
        if (reference == null || reference.isBlank() || reference.length() > LONGEST || reference.indexOf(0) >= 0) {
            return Optional.of("reference needs 1 to " + LONGEST + " characters");
        }
        BigDecimal amount = body.amount();
        if (amount == null || amount.scale() > SCALE || (long) amount.precision() - amount.scale() > DIGITS) {
            return Optional.of("amount needs a number of at most " + DIGITS + " digits and " + SCALE + " decimals");
        }
        return Optional.empty();
    }
}
