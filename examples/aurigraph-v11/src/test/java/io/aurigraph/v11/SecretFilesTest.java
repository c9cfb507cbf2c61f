// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SecretFilesTest {
    @TempDir Path directory;

    @Test
    void eachFileIsAProperty() throws IOException {
        Files.writeString(directory.resolve("db_password"), "s3cret\n");
        SecretFiles source = new SecretFiles(directory);
        assertEquals("s3cret", source.getValue("secret.db_password"));
        assertNull(source.getValue("db_password"));
    }

    @Test
    void noDirectoryIsNoSecrets() {
        assertTrue(new SecretFiles(directory.resolve("none")).getPropertyNames().isEmpty());
    }
}
