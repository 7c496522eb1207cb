// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.concurrent.ThreadLocalRandom;

/** A random pause below a bound that doubles ("full jitter"). */
final class Backoff {
    static final long FIRST = 20 * Ticks.MS;
    static final long MOST = 250 * Ticks.MS;

    int attempts;

    /** @param free how many attempts may follow each other at once */
    long pause(int free) {
        if (attempts < free) {
            return 0;
        }
        int doublings = Math.min(attempts / free - 1, 4);
        long bound = Math.min(FIRST << doublings, MOST);
        return ThreadLocalRandom.current().nextLong(Ticks.MS, bound);
    }
}
