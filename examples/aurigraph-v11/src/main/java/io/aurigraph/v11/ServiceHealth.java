// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/**
 * Whether the service can do its work: it wants to, and reaches the database and Redis.
 *
 * <p>It stands in for the checks of the extensions, which took 10 seconds to say DOWN when the database hung.
 */
@Readiness
@Singleton
public class ServiceHealth implements HealthCheck {
    @Inject Switches switches;
    @Inject Dependencies dependencies;

    @Override
    public HealthCheckResponse call() {
        Dependencies.Reached reached = dependencies.reached();
        return HealthCheckResponse.named("service")
                .status(!switches.unhealthy() && reached.database() && reached.redis())
                .withData("database", reached.database())
                .withData("redis", reached.redis())
                .build();
    }
}
