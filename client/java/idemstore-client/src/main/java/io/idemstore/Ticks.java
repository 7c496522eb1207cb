// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * The one clock: nanoseconds since shortly before the first use, so that
 * times are positive and compare as numbers. Never stands still, never jumps.
 */
final class Ticks {
    static final long MS = 1_000_000;
    static final long NEVER = Long.MAX_VALUE;
    private static final long ZERO = System.nanoTime() - 1;

    private Ticks() {
    }

    static long now() {
        return System.nanoTime() - ZERO;
    }

    /** As System.nanoTime counts. */
    static long nanoTime(long ticks) {
        return ticks + ZERO;
    }
}
