// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.stream.Stream;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** What this process is: its version, commit and slot. */
@Singleton
public class Instance {
    private final String version;
    private final Map<String, String> environment;

    @Inject
    Instance(@ConfigProperty(name = "quarkus.application.version") String version) {
        this(version, System.getenv());
    }

    Instance(String version, Map<String, String> environment) {
        this.version = version;
        this.environment = environment;
    }

    public String version() {
        return version;
    }

    /** The commit it was built from, as the release tells it. */
    public String commit() {
        return first("unknown", "J4C_COMMIT", "APP_COMMIT");
    }

    public String slot() {
        return first("none", "J4C_SLOT");
    }

    private String first(String otherwise, String... names) {
        return Stream.of(names)
                .map(name -> environment.getOrDefault(name, ""))
                .filter(value -> !value.isBlank())
                .findFirst()
                .orElse(otherwise);
    }
}
