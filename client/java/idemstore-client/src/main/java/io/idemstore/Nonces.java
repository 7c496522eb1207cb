// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.concurrent.atomic.AtomicLong;

/** Random, and no call to the system each: a base and a count. */
final class Nonces {
    private final long base;
    private final AtomicLong count;

    Nonces() {
        SecureRandom random = new SecureRandom();
        base = random.nextLong();
        count = new AtomicLong(random.nextLong());
    }

    byte[] draw() {
        return ByteBuffer.allocate(16).putLong(base)
                .putLong(count.incrementAndGet()).array();
    }
}
