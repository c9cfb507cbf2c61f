// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aurigraph.v11.TransactionResource.NewTransaction;
import jakarta.ws.rs.NotFoundException;
import jakarta.ws.rs.core.Response;
import java.math.BigDecimal;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class TransactionResourceTest {
    private final InMemory store = new InMemory();
    private final TransactionResource resource = new TransactionResource(store);

    @Test
    void theSameKeyGivesTheSameTransaction() throws Exception {
        Response first = resource.create("k", new NewTransaction("first", new BigDecimal("1.50")));
        Response second = resource.create("k", new NewTransaction("second", new BigDecimal("2")));
        assertEquals(201, first.getStatus());
        assertEquals(200, second.getStatus());
        assertEquals(first.getEntity(), second.getEntity());
        assertEquals(1, resource.list().count());
        assertEquals(first.getEntity(), resource.byKey("k"));
    }

    @Test
    void ofManyAtOnceOneIsCreated() throws Exception {
        NewTransaction body = new NewTransaction("r", BigDecimal.ONE);
        List<Callable<Integer>> calls = Collections.nCopies(32, () -> resource.create("k", body).getStatus());
        List<Integer> statuses = new ArrayList<>();
        try (ExecutorService executor = Executors.newFixedThreadPool(8)) {
            for (Future<Integer> answer : executor.invokeAll(calls)) {
                statuses.add(answer.get());
            }
        }
        assertEquals(1, Collections.frequency(statuses, 201));
        assertEquals(31, Collections.frequency(statuses, 200));
    }

    @Test
    void anUnknownKeyIsNotFound() {
        assertThrows(NotFoundException.class, () -> resource.byKey("none"));
    }

    @Test
    void whatTheDatabaseWouldNotTakeIsRefused() throws Exception {
        String tooLong = "x".repeat(201);
        refused(null, "r", "1");
        refused(" ", "r", "1");
        refused(tooLong, "r", "1");
        refused("k", null, "1");
        refused("k", "", "1");
        refused("k", tooLong, "1");
        refused("k", "a\0b", "1");
        refused("k", "r", null);
        refused("k", "r", "1.005");
        refused("k", "r", "12345678901234567");
        refused("k", "r", "1e2000000000");
        assertEquals(400, resource.create("k", null).getStatus());
        assertEquals(0, store.count());
    }

    @Test
    void theLargestAmountIsTaken() throws Exception {
        Response response = resource.create("k", new NewTransaction("r", new BigDecimal("9999999999999999.99")));
        assertEquals(201, response.getStatus());
    }

    @Test
    void onlyWhatPassesIsTemporary() {
        assertTrue(DatabaseErrors.isTemporary(null));
        assertTrue(DatabaseErrors.isTemporary("08006"));
        assertTrue(DatabaseErrors.isTemporary("57P01"));
        assertFalse(DatabaseErrors.isTemporary("42P01"));
    }

    private void refused(String key, String reference, String amount) throws Exception {
        BigDecimal number = amount == null ? null : new BigDecimal(amount);
        Response response = resource.create(key, new NewTransaction(reference, number));
        assertEquals(400, response.getStatus(), () -> key + " " + reference + " " + amount);
    }

    /** The store without a database: the map's putIfAbsent is the unique constraint. */
    private static class InMemory extends TransactionStore {
        private final Map<String, Transaction> rows = new ConcurrentHashMap<>();

        @Override
        public Optional<Transaction> insert(String key, String reference, BigDecimal amount) {
            Transaction row = new Transaction(rows.size() + 1L, key, reference, amount, OffsetDateTime.now());
            return rows.putIfAbsent(key, row) == null ? Optional.of(row) : Optional.empty();
        }

        @Override
        public Optional<Transaction> byKey(String key) {
            return Optional.ofNullable(rows.get(key));
        }

        @Override
        public List<Transaction> newest(int limit) {
            return List.copyOf(rows.values());
        }

        @Override
        public long count() {
            return rows.size();
        }
    }
}
