// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.spring.IdempotencyCounts;
import io.idemstore.spring.IdempotencyCounts.What;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.context.annotation.Bean;

/** Counters: what askers were told, how claims ended. Never by key. */
@AutoConfiguration(after = IdempotencyAutoConfiguration.class)
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBean(IdempotencyCounts.class)
public class IdempotencyMetricsAutoConfiguration {
    private static final Set<What> ENDS = EnumSet.range(What.COMPLETED,
            What.NOT_RECORDED);

    @Bean
    MeterBinder idempotencyMeters(IdempotencyCounts counts) {
        return registry -> {
            for (What what : What.values()) {
                boolean isEnd = ENDS.contains(what);
                FunctionCounter.builder(
                        isEnd ? "idemstore.ends" : "idemstore.claims",
                        counts, all -> all.of(what))
                        .tag(isEnd ? "how" : "outcome",
                                what.name().toLowerCase(Locale.ROOT))
                        .description(isEnd ? "How claims ended"
                                : "What askers were told")
                        .register(registry);
            }
        };
    }
}
