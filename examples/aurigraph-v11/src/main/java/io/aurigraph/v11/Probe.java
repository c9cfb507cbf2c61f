// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jboss.logging.Logger;

/** One question to something that may hang: asked once at a time, however many want to know, and given up in time. */
class Probe {
    private static final Logger LOG = Logger.getLogger(Probe.class);

    private final String name;
    private final Callable<Boolean> question;
    private final Executor executor;
    private CompletableFuture<Boolean> running = CompletableFuture.completedFuture(false);

    /**
     * @param name how the log calls what is asked
     * @param question may block and may throw
     * @param executor where it is asked
     */
    Probe(String name, Callable<Boolean> question, Executor executor) {
        this.name = name;
        this.question = question;
        this.executor = executor;
    }

    /** Asks, unless a question is still open. */
    synchronized void start() {
        if (running.isDone()) {
            running = CompletableFuture.supplyAsync(this::ask, executor);
        }
    }

    /**
     * Waits for the answer.
     *
     * @param nanos how long at most
     * @return false when the answer is no, an exception or late
     */
    boolean result(long nanos) {
        CompletableFuture<Boolean> current;
        synchronized (this) {
            current = running;
        }
        try {
            return current.get(Math.max(0, nanos), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private boolean ask() {
        try {
            return question.call();
        } catch (Exception e) {
            LOG.warnf("%s does not answer: %s", name, e);
            return false;
        }
    }
}
