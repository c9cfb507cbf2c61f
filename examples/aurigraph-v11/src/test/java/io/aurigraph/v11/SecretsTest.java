// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vertx.redis.client.RedisOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SecretsTest {
    @TempDir Path directory;

    @Test
    void aFileWinsOverTheEnvironment() throws IOException {
        Files.writeString(directory.resolve("db_password"), "from file\n");
        assertEquals("from file", secrets(Map.of("DB_PASSWORD", "from environment")).password("DB_PASSWORD"));
    }

    @Test
    void withoutAFileTheEnvironmentCounts() {
        assertEquals("from environment", secrets(Map.of("DB_PASSWORD", "from environment")).password("DB_PASSWORD"));
    }

    @Test
    void theNamedFileWinsOverTheUsualOne() throws IOException {
        Files.writeString(directory.resolve("db_password"), "usual");
        Path other = Files.writeString(directory.resolve("other"), "named");
        assertEquals("named", secrets(Map.of("DB_PASSWORD_FILE", other.toString())).password("DB_PASSWORD"));
    }

    @Test
    void aNamedFileThatIsNotThereIsAnErrorThatNamesIt() {
        Secrets secrets = secrets(Map.of("DB_PASSWORD_FILE", "/none/here", "DB_PASSWORD", "unused"));
        UncheckedIOException error = assertThrows(UncheckedIOException.class, () -> secrets.password("DB_PASSWORD"));
        assertTrue(error.getMessage().contains("/none/here"), error.getMessage());
    }

    @Test
    void nothingInAPasswordIsAnExpression() throws IOException {
        Files.writeString(directory.resolve("db_password"), "p$x${y}\\$z$$");
        assertEquals("p$x${y}\\$z$$", secrets(Map.of()).getCredentials("secrets").get("password"));
    }

    @Test
    void aNewPasswordCountsFromTheNextConnectionOn() throws IOException {
        Secrets secrets = secrets(Map.of());
        Files.writeString(directory.resolve("db_password"), "old");
        assertEquals("old", secrets.getCredentials("secrets").get("password"));
        Files.writeString(directory.resolve("db_password"), "new");
        assertEquals("new", secrets.getCredentials("secrets").get("password"));
    }

    @Test
    void anAttemptThatWasGivenUpDoesNotFailTheNext() {
        Thread.currentThread().interrupt();
        Map<String, String> credentials =
                secrets(Map.of("DB_PASSWORD", "p")).getCredentialsAsync("secrets").await().indefinitely();
        assertEquals("p", credentials.get("password"));
    }

    @Test
    void theUserHasADefault() {
        assertEquals("aurigraph", secrets(Map.of("DB_USER", "")).getCredentials("secrets").get("user"));
        assertEquals("other", secrets(Map.of("DB_USER", "other")).getCredentials("secrets").get("user"));
    }

    @Test
    void redisGetsItsPassword() {
        RedisOptions options = new RedisOptions();
        secrets(Map.of()).customize("default", options);
        assertNull(options.getPassword());
        secrets(Map.of("REDIS_PASSWORD", "r3dis")).customize("default", options);
        assertEquals("r3dis", options.getPassword());
    }

    private Secrets secrets(Map<String, String> environment) {
        return new Secrets(environment, directory);
    }
}
