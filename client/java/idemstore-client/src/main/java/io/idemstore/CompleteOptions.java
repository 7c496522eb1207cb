// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.time.Duration;

/** How a claim is completed. Immutable: each method returns another one. */
public final class CompleteOptions {
    private static final CompleteOptions DEFAULTS =
            new CompleteOptions(0, false, 0);

    final long ttlMs;
    final boolean error;
    final long timeoutMs;

    private CompleteOptions(long ttlMs, boolean error, long timeoutMs) {
        this.ttlMs = ttlMs;
        this.error = error;
        this.timeoutMs = timeoutMs;
    }

    /** As a success, with the retention that acquire asked for. */
    public static CompleteOptions defaults() {
        return DEFAULTS;
    }

    /** Another retention, from now on: 1 ms to 366 days. */
    public CompleteOptions ttl(Duration ttl) {
        return new CompleteOptions(Check.ms(ttl, "ttl", 1,
                AcquireOptions.TTL_MS_MAX), error, timeoutMs);
    }

    /** Whoever gets the replay is told that it failed. */
    public CompleteOptions asError() {
        return new CompleteOptions(ttlMs, true, timeoutMs);
    }

    /** The call's own deadline, in the store's place: 1 ms to 24 h. */
    public CompleteOptions timeout(Duration timeout) {
        return new CompleteOptions(ttlMs, error, Check.ms(timeout, "timeout",
                1, AcquireOptions.LEASE_MS_MAX));
    }
}
