// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.inject.Singleton;
import java.util.Map;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** What this process is: its version, commit and slot. */
@Singleton
public class Instance {
    @ConfigProperty(name = "app.version")
    String version;

    private final Map<String, String> environment = System.getenv();

    public String version() {
        return version;
    }

    /** The commit it was built from, as the release tells it. */
    public String commit() {
        return environment.getOrDefault("J4C_COMMIT", environment.getOrDefault("APP_COMMIT", "unknown"));
    }

    public String slot() {
        return environment.getOrDefault("J4C_SLOT", "none");
    }
}
