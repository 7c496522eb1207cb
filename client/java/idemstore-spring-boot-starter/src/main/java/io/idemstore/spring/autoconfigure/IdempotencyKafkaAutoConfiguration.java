// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.IdemException;
import io.idemstore.InProgress;
import io.idemstore.NotRunException;
import io.idemstore.spring.DeadLetterException;
import io.idemstore.spring.core.Claims;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.core.KafkaOperations;
import org.springframework.kafka.listener.CommonErrorHandler;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.util.backoff.FixedBackOff;

/**
 * How Kafka's container takes what the aspect throws. A record that is in
 * progress elsewhere, or can't be asked about, is delivered again for as long
 * as that takes: the container's default would skip it after ten attempts.
 */
@AutoConfiguration(after = IdempotencyAutoConfiguration.class)
@ConditionalOnClass(DefaultErrorHandler.class)
@ConditionalOnBean(Claims.class)
public class IdempotencyKafkaAutoConfiguration {
    private static final long AGAIN_MS_MAX = 30_000;
    private static final long AGAIN_MS_MIN = 100;
    private static final long FAILED_AGAIN_MS = 1_000;
    private static final long FAILURES_MAX = 8;

    /** A failure of its own is tried eight times, then a dead letter. */
    @Bean
    @ConditionalOnMissingBean(CommonErrorHandler.class)
    DefaultErrorHandler idempotencyKafkaErrorHandler(
            ObjectProvider<KafkaOperations<?, ?>> operations) {
        KafkaOperations<?, ?> to = operations.getIfUnique();
        FixedBackOff failed =
                new FixedBackOff(FAILED_AGAIN_MS, FAILURES_MAX - 1);
        DefaultErrorHandler made = to == null
                ? new DefaultErrorHandler(failed) : new DefaultErrorHandler(
                new DeadLetterPublishingRecoverer(to), failed);
        made.addNotRetryableExceptions(DeadLetterException.class);
        made.setBackOffFunction((record, why) -> {
            long ms = againMs(why);
            return ms < 0 ? null : new FixedBackOff(ms,
                    FixedBackOff.UNLIMITED_ATTEMPTS);
        });
        return made;
    }

    /** -1: it is the listener's own failure. */
    static long againMs(Throwable why) {
        for (Throwable at = why; at != null; at = at.getCause()) {
            if (at instanceof NotRunException not
                    && not.answer() instanceof InProgress busy) {
                return Math.max(AGAIN_MS_MIN, Math.min(busy.leaseLeftMs(),
                        AGAIN_MS_MAX));
            }
            if (at instanceof IdemException) {
                return AGAIN_MS_MIN; // the aspect has paused by then
            }
        }
        return -1;
    }
}
