// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.quarkus.runtime.Startup;
import io.quarkus.vertx.http.HttpServerStart;
import jakarta.annotation.PostConstruct;
import jakarta.enterprise.event.ObservesAsync;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Map;
import org.jboss.logging.Logger;

/** Misbehaviour on request, by environment variables, so that tests can release a bad version. */
@Startup(1)
@Singleton
public class Switches {
    private static final Logger LOG = Logger.getLogger(Switches.class);
    private static final int CRASH_STATUS = 3;

    private final boolean exitAtStart;
    private final Duration startDelay;
    private final Duration crashAfter;
    private final boolean unhealthy;
    private final boolean apiErrors;
    private final Duration slow;

    public Switches() {
        this(System.getenv());
    }

    Switches(Map<String, String> environment) {
        exitAtStart = flag(environment, "TEST_EXIT_AT_START");
        startDelay = Duration.ofSeconds(number(environment, "TEST_START_DELAY_SECONDS"));
        crashAfter = Duration.ofSeconds(number(environment, "TEST_CRASH_AFTER_SECONDS"));
        unhealthy = flag(environment, "TEST_UNHEALTHY");
        apiErrors = flag(environment, "TEST_API_ERRORS");
        slow = Duration.ofMillis(number(environment, "TEST_SLOW_MS"));
    }

    /** Whether the health checks report DOWN. */
    public boolean unhealthy() {
        return unhealthy;
    }

    /** Whether every answer below /api is an error, while /q/health stays UP. */
    public boolean apiErrors() {
        return apiErrors;
    }

    /** How long each API answer is held back. */
    public Duration slow() {
        return slow;
    }

    /** Runs before the port is open. */
    @PostConstruct
    void atStart() {
        if (exitAtStart) {
            end("TEST_EXIT_AT_START is set");
        }
        pause(startDelay);
    }

    void whenServing(@ObservesAsync HttpServerStart event) {
        if (crashAfter.isPositive()) {
            Thread.ofPlatform().daemon().start(() -> {
                pause(crashAfter);
                end("TEST_CRASH_AFTER_SECONDS is over");
            });
        }
    }

    private static void end(String why) {
        LOG.error(why);
        // no exit: nothing is tidied up in a crash
        Runtime.getRuntime().halt(CRASH_STATUS);
    }

    private static void pause(Duration duration) {
        try {
            Thread.sleep(duration);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean flag(Map<String, String> environment, String name) {
        return "true".equalsIgnoreCase(environment.getOrDefault(name, "").strip());
    }

    private static long number(Map<String, String> environment, String name) {
        String value = environment.getOrDefault(name, "").strip();
        try {
            return value.isEmpty() ? 0 : Math.max(0, Long.parseLong(value));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " is no whole number: " + value, e);
        }
    }
}
