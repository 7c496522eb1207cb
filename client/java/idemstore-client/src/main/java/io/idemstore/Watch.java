// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Whether changes are confirmed; counts for a store's status. */
final class Watch {
    volatile boolean changesWait;
    final AtomicInteger underWay = new AtomicInteger();
    final LongAdder calls = new LongAdder();
    final AtomicLong repeats = new AtomicLong();
    final AtomicLong connects = new AtomicLong();
    final AtomicLong losses = new AtomicLong();
    final AtomicLong timeouts = new AtomicLong();
    final AtomicLong unreplicated = new AtomicLong();
    final AtomicLong failedFast = new AtomicLong();
    final AtomicLong tryAt = new AtomicLong();

    /** One call in so long is tried while changes wait. */
    boolean mayTry(long now, long every) {
        long at = tryAt.get();
        return now >= at && tryAt.compareAndSet(at, now + every);
    }
}
