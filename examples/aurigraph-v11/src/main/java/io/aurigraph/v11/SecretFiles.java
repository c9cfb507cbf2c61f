// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.eclipse.microprofile.config.spi.ConfigSource;

/** Files in /run/secrets as configuration: the file {@code db_password} is the property {@code secret.db_password}. */
public class SecretFiles implements ConfigSource {
    private final Map<String, String> values;

    public SecretFiles() {
        this(Path.of("/run/secrets"));
    }

    SecretFiles(Path directory) {
        values = read(directory);
    }

    private static Map<String, String> read(Path directory) {
        Map<String, String> found = new HashMap<>();
        if (!Files.isDirectory(directory)) {
            return found;
        }
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.filter(Files::isRegularFile).filter(Files::isReadable).toList()) {
                found.put("secret." + file.getFileName(), Files.readString(file).strip());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    @Override
    public Set<String> getPropertyNames() {
        return values.keySet();
    }

    @Override
    public String getValue(String name) {
        return values.get(name);
    }

    @Override
    public String getName() {
        return "secret files";
    }

    @Override
    public int getOrdinal() {
        return 350;
    }
}
