// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.IdemException;
import io.idemstore.InProgress;
import io.idemstore.NotRunException;
import io.idemstore.spring.DeadLetterException;
import io.idemstore.spring.core.ListenerKind;
import io.idemstore.spring.core.Rule;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What a listener's container is told. Done before: it returns, and the
 * message is acknowledged. In progress, or the store can't be asked: it is
 * delivered again. Another message's key: dead letters. Its own failure is the
 * container's business; the claim is released by then.
 */
final class ListenerRules {
    private static final long PAUSE_MS_MIN = 250;

    private final long pauseMaxMs;
    private final AtomicInteger failures = new AtomicInteger();

    ListenerRules(Duration pauseMax) {
        pauseMaxMs = pauseMax.toMillis();
    }

    /** One delivery. */
    interface Delivery {
        Object run() throws Throwable;
    }

    Object deliver(Rule rule, Delivery delivery) throws Throwable {
        try {
            Object told = delivery.run();
            failures.set(0);
            return told;
        } catch (IdemException why) {
            pause(failures.getAndIncrement());
            throw told(rule, why);
        } catch (NotRunException why) {
            throw told(rule, why);
        }
    }

    /** As the broker's own exception, where it has one. */
    static RuntimeException told(Rule rule, RuntimeException why) {
        boolean isRabbit = rule.listener() == ListenerKind.RABBIT;
        if (why instanceof NotRunException not
                && !(not.answer() instanceof InProgress)) {
            return isRabbit ? RabbitWords.dead(why)
                    : new DeadLetterException(why);
        }
        return isRabbit ? RabbitWords.again(why) : why;
    }

    /** Else a container asks as fast as it can. */
    private void pause(int before) throws InterruptedException {
        long ms = Math.min(pauseMaxMs,
                PAUSE_MS_MIN << Math.min(before, 10));
        if (ms > 0) {
            Thread.sleep(ms / 2 + ThreadLocalRandom.current()
                    .nextLong(ms / 2 + 1));
        }
    }
}
