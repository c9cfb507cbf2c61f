// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.quarkus.runtime.Startup;
import jakarta.annotation.PostConstruct;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/** Misbehaviour on request, by environment variables, so that tests can release a bad version. */
@Startup(1)
@Singleton
public class Switches {
    private static final Logger LOG = Logger.getLogger(Switches.class);
    private static final int CRASH_STATUS = 3;

    private final Map<String, String> environment;

    public Switches() {
        this(System.getenv());
    }

    Switches(Map<String, String> environment) {
        this.environment = environment;
    }

    /** Whether the health check reports DOWN. */
    public boolean unhealthy() {
        return flag("TEST_UNHEALTHY");
    }

    /** Whether every API request but the health check's fails. */
    public boolean apiErrors() {
        return flag("TEST_API_ERRORS");
    }

    /** Milliseconds that each API answer is held back. */
    public long slowMillis() {
        return number("TEST_SLOW_MS");
    }

    @PostConstruct
    void atStart() {
        if (flag("TEST_EXIT_AT_START")) {
            LOG.error("TEST_EXIT_AT_START is set: ending");
            Runtime.getRuntime().halt(CRASH_STATUS);
        }
        pause(TimeUnit.SECONDS.toMillis(number("TEST_START_DELAY_SECONDS")));
        long crashAfter = number("TEST_CRASH_AFTER_SECONDS");
        if (crashAfter > 0) {
            Thread crash = new Thread(() -> {
                pause(TimeUnit.SECONDS.toMillis(crashAfter));
                LOG.error("TEST_CRASH_AFTER_SECONDS is over: ending");
                Runtime.getRuntime().halt(CRASH_STATUS);
            });
            crash.setDaemon(true);
            crash.start();
        }
    }

    static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean flag(String name) {
        return "true".equalsIgnoreCase(environment.getOrDefault(name, ""));
    }

    private long number(String name) {
        String value = environment.getOrDefault(name, "");
        return value.isBlank() ? 0 : Long.parseLong(value.strip());
    }
}
