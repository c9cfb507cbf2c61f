// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.Test;

class InstanceTest {
    @Test
    void theReleaseTellsTheCommit() {
        assertEquals("abc", instance(Map.of("J4C_COMMIT", "abc", "APP_COMMIT", "def")).commit());
        assertEquals("def", instance(Map.of("J4C_COMMIT", "", "APP_COMMIT", "def")).commit());
        assertEquals("unknown", instance(Map.of()).commit());
    }

    @Test
    void theReleaseTellsTheSlot() {
        assertEquals("green", instance(Map.of("J4C_SLOT", "green")).slot());
        assertEquals("none", instance(Map.of()).slot());
    }

    private static Instance instance(Map<String, String> environment) {
        return new Instance("11.4.4", environment);
    }
}
