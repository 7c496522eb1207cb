// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.IdemException;
import io.idemstore.IdemStore;
import io.idemstore.spring.IdempotencyCounts;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Actuator's health, which has another package in each Spring Boot. */
@AutoConfiguration(after = IdempotencyAutoConfiguration.class)
@ConditionalOnBean(IdemStore.class)
@ConditionalOnProperty(prefix = "management.health.idemstore",
        name = "enabled", matchIfMissing = true)
public class IdempotencyHealthAutoConfiguration {

    /** Of Spring Boot 3. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(name =
            "org.springframework.boot.actuate.health.HealthIndicator")
    static class Three {
        @Bean
        @ConditionalOnMissingBean(name = "idemstoreHealthIndicator")
        org.springframework.boot.actuate.health.HealthIndicator
                idemstoreHealthIndicator(IdemStore store,
                IdempotencyCounts counts) {
            StoreHealth health = new StoreHealth(store, counts);
            return () -> {
                IdemException why = health.trouble();
                var made = why == null
                        ? org.springframework.boot.actuate.health.Health.up()
                        : org.springframework.boot.actuate.health.Health
                                .down(why);
                return made.withDetails(health.details()).build();
            };
        }
    }

    /** Of Spring Boot 4. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(name =
            "org.springframework.boot.health.contributor.HealthIndicator")
    static class Four {
        @Bean
        @ConditionalOnMissingBean(name = "idemstoreHealthIndicator")
        org.springframework.boot.health.contributor.HealthIndicator
                idemstoreHealthIndicator(IdemStore store,
                IdempotencyCounts counts) {
            StoreHealth health = new StoreHealth(store, counts);
            return () -> {
                IdemException why = health.trouble();
                var made = why == null
                        ? org.springframework.boot.health.contributor.Health
                                .up()
                        : org.springframework.boot.health.contributor.Health
                                .down(why);
                return made.withDetails(health.details()).build();
            };
        }
    }
}
