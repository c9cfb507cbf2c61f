// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import jakarta.ws.rs.core.Response;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SwitchesTest {
    @Test
    void nothingIsSwitchedOnByDefault() {
        Switches switches = new Switches(Map.of());
        assertFalse(switches.unhealthy());
        assertFalse(switches.apiErrors());
        assertEquals(Duration.ZERO, switches.slow());
    }

    @Test
    void switchesReadTheEnvironment() {
        Switches switches =
                new Switches(Map.of("TEST_UNHEALTHY", "TRUE", "TEST_API_ERRORS", "true", "TEST_SLOW_MS", " 700 "));
        assertTrue(switches.unhealthy());
        assertTrue(switches.apiErrors());
        assertEquals(Duration.ofMillis(700), switches.slow());
    }

    @Test
    void anEmptyOrNegativeNumberIsOff() {
        assertEquals(Duration.ZERO, new Switches(Map.of("TEST_SLOW_MS", "")).slow());
        assertEquals(Duration.ZERO, new Switches(Map.of("TEST_SLOW_MS", "-5")).slow());
    }

    @Test
    void aNumberThatIsNoneEndsTheStart() {
        Map<String, String> environment = Map.of("TEST_SLOW_MS", "soon");
        String message = assertThrows(IllegalArgumentException.class, () -> new Switches(environment)).getMessage();
        assertEquals("TEST_SLOW_MS is no whole number: soon", message);
    }

    @Test
    void theStartIsHeldBack() {
        long begin = System.nanoTime();
        new Switches(Map.of("TEST_START_DELAY_SECONDS", "1")).atStart();
        assertTrue(System.nanoTime() - begin >= Duration.ofSeconds(1).toNanos());
    }

    @Test
    void theFilterFailsRequestsOrLetsThemThrough() {
        assertEquals(500, filtered(Map.of("TEST_API_ERRORS", "true")).getStatus());
        assertEquals(null, filtered(Map.of()));
    }

    @Test
    void theFilterHoldsRequestsBack() {
        long begin = System.nanoTime();
        filtered(Map.of("TEST_SLOW_MS", "200"));
        assertTrue(System.nanoTime() - begin >= Duration.ofMillis(200).toNanos());
    }

    private static Response filtered(Map<String, String> environment) {
        SwitchFilter filter = new SwitchFilter();
        filter.switches = new Switches(environment);
        return filter.apply().await().atMost(Duration.ofSeconds(10));
    }
}
