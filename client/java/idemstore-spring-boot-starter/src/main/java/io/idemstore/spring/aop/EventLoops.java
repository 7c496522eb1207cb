// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import reactor.core.scheduler.Schedulers;

/** Loaded only where reactor is there. */
final class EventLoops {
    private EventLoops() {
    }

    /** Whether this thread must not wait. */
    static boolean isHere() {
        return Schedulers.isInNonBlockingThread();
    }
}
