// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;

class SwitchesTest {
    @Test
    void nothingIsSwitchedOnByDefault() {
        Switches switches = new Switches(Map.of());
        assertFalse(switches.unhealthy());
        assertFalse(switches.apiErrors());
        assertEquals(0, switches.slowMillis());
    }

    @Test
    void switchesReadTheEnvironment() {
        Switches switches = new Switches(Map.of("TEST_UNHEALTHY", "TRUE", "TEST_API_ERRORS", "true", "TEST_SLOW_MS", " 700 "));
        assertTrue(switches.unhealthy());
        assertTrue(switches.apiErrors());
        assertEquals(700, switches.slowMillis());
    }

    @Test
    void anEmptyNumberIsOff() {
        assertEquals(0, new Switches(Map.of("TEST_SLOW_MS", "")).slowMillis());
    }

    @Test
    void aNumberThatIsNoneIsAnError() {
        Switches switches = new Switches(Map.of("TEST_SLOW_MS", "soon"));
        assertThrows(NumberFormatException.class, switches::slowMillis);
    }
}
