// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import io.quarkus.credentials.CredentialsProvider;
import io.quarkus.redis.client.RedisOptionsCustomizer;
import io.smallrye.mutiny.Uni;
import io.vertx.redis.client.RedisOptions;
import jakarta.inject.Named;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * The passwords of the database and Redis.
 *
 * <p>They are no configuration on purpose: nothing in them is taken for an expression, no build records them and no
 * list of properties shows them. A file is read each time it is needed, so a new password of the database counts from
 * the next connection on.
 */
@Named("secrets")
@Singleton
public class Secrets implements CredentialsProvider, RedisOptionsCustomizer {
    private final Map<String, String> environment;
    private final Path directory;

    public Secrets() {
        this(System.getenv(), Path.of("/run/secrets"));
    }

    Secrets(Map<String, String> environment, Path directory) {
        this.environment = environment;
        this.directory = directory;
    }

    /** The user and password of the next database connection. */
    @Override
    public Map<String, String> getCredentials(String provider) {
        String user = environment.getOrDefault("DB_USER", "");
        return Map.of(
                USER_PROPERTY_NAME, user.isBlank() ? "aurigraph" : user,
                PASSWORD_PROPERTY_NAME, password("DB_PASSWORD"));
    }

    /**
     * The same, in the calling thread: the default waits for a thread of the pool that requests use, which may all wait
     * for this very connection.
     */
    @Override
    public Uni<Map<String, String>> getCredentialsAsync(String provider) {
        return Uni.createFrom().item(() -> {
            // left over from the connection pool's last attempt, which it gave up; it would fail this one
            Thread.interrupted();
            return getCredentials(provider);
        });
    }

    @Override
    public void customize(String client, RedisOptions options) {
        String password = password("REDIS_PASSWORD");
        if (!password.isEmpty()) {
            options.setPassword(password);
        }
    }

    /**
     * A password: from the file that {@code NAME_FILE} names, else from {@code /run/secrets/name}, else from
     * {@code NAME}.
     *
     * @return the password without white space around it, empty when there is none
     * @throws UncheckedIOException if the file is not there or cannot be read
     */
    String password(String name) {
        String named = environment.getOrDefault(name + "_FILE", "");
        Path file = named.isBlank() ? directory.resolve(name.toLowerCase(Locale.ROOT)) : Path.of(named);
        if (named.isBlank() && Files.notExists(file)) {
            return environment.getOrDefault(name, "");
        }
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "The secret " + file + " cannot be read: is it there, and may this process read it?", e);
        }
    }
}
