// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import io.idemstore.testing.IdemstoredProcess;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** A daemon for all tests of this process, and a namespace for each. */
final class Servers {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static IdemstoredProcess shared;

    private Servers() {
    }

    static synchronized IdemstoredProcess shared() {
        if (shared == null) {
            shared = IdemstoredProcess.builder().args("--threads", "2")
                    .start();
        }
        return shared;
    }

    static String namespace() {
        return "n" + COUNT.incrementAndGet();
    }

    static void until(BooleanSupplier told) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!told.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("it did not come about");
            }
            sleep(10);
        }
    }

    static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException why) {
            throw new AssertionError(why);
        }
    }
}
