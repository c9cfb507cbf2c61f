// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Inject;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** The parts of /q/health. */
@ApplicationScoped
public class HealthChecks {
    @Inject Dependencies dependencies;
    @Inject Switches switches;

    @Produces
    @Readiness
    HealthCheck database() {
        return () -> response("database", dependencies.databaseReached());
    }

    @Produces
    @Readiness
    HealthCheck redis() {
        return () -> response("redis", dependencies.redisReached());
    }

    @Produces
    @Readiness
    HealthCheck service() {
        return () -> response("service", !switches.unhealthy());
    }

    private static HealthCheckResponse response(String name, boolean up) {
        return HealthCheckResponse.named(name).status(up).build();
    }
}
