// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** The service's own part of /q/health, next to the checks of the database and Redis extensions. */
@Readiness
@Singleton
public class ServiceHealth implements HealthCheck {
    @Inject Switches switches;

    @Override
    public HealthCheckResponse call() {
        return HealthCheckResponse.named("service").status(!switches.unhealthy()).build();
    }
}
