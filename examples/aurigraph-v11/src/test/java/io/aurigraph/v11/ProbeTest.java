// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ProbeTest {
    private static final long LONG = TimeUnit.SECONDS.toNanos(10);
    private static final long SHORT = TimeUnit.MILLISECONDS.toNanos(20);

    private final ExecutorService executor = Executors.newCachedThreadPool();

    @AfterEach
    void end() {
        executor.shutdownNow();
    }

    @Test
    void anAnswerIsPassedOn() {
        assertTrue(asked(() -> true).result(LONG));
        assertFalse(asked(() -> false).result(LONG));
    }

    @Test
    void anExceptionIsANo() {
        assertFalse(asked(() -> {
            throw new IllegalStateException("gone");
        }).result(LONG));
    }

    @Test
    void aHangingQuestionIsGivenUpAndNotAskedTwice() {
        CountDownLatch open = new CountDownLatch(1);
        AtomicInteger asked = new AtomicInteger();
        Probe probe = asked(() -> {
            asked.incrementAndGet();
            return open.await(10, TimeUnit.SECONDS);
        });
        for (int i = 0; i < 5; i++) {
            probe.start();
            assertFalse(probe.result(SHORT));
        }
        open.countDown();
        assertTrue(probe.result(LONG));
        assertEquals(1, asked.get());
        probe.start();
        assertTrue(probe.result(LONG));
        assertEquals(2, asked.get());
    }

    private Probe asked(Callable<Boolean> question) {
        Probe probe = new Probe("The test", question, executor);
        probe.start();
        return probe;
    }
}
