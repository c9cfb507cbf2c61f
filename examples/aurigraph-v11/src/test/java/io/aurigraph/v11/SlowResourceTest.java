// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class SlowResourceTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @Test
    void theStreamHasItsLinesAndAnEnd() {
        List<String> lines = SlowResource.lines(1, 100).collect().asList().await().atMost(PATIENCE);
        assertEquals(11, lines.size());
        assertEquals("line 0\n", lines.getFirst());
        assertEquals("end\n", lines.getLast());
    }

    @Test
    void senselessNumbersAreBounded() {
        List<String> lines = SlowResource.lines(-5, -5).collect().asList().await().atMost(PATIENCE);
        assertTrue(lines.size() <= 101, () -> "lines: " + lines.size());
        assertEquals("end\n", lines.getLast());
        assertEquals("done\n", new SlowResource().slow(-1).await().atMost(PATIENCE));
    }
}
