// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** How a function runs once. Immutable: each method returns another one. */
public final class OnceOptions {
    private static final OnceOptions DEFAULTS = new OnceOptions(
            AcquireOptions.defaults(), OnError.LEAVE, true);

    final AcquireOptions acquire;
    final OnError onError;
    final boolean renew;

    private OnceOptions(AcquireOptions acquire, OnError onError,
            boolean renew) {
        this.acquire = acquire;
        this.onError = onError;
        this.renew = renew;
    }

    /** Lease 30 s, renewed; retention 24 h; an exception leaves the claim. */
    public static OnceOptions defaults() {
        return DEFAULTS;
    }

    /** How the key is asked for. */
    public OnceOptions acquire(AcquireOptions options) {
        return new OnceOptions(options, onError, renew);
    }

    /** What an exception does to the claim. */
    public OnceOptions onError(OnError what) {
        return new OnceOptions(acquire, what, renew);
    }

    /** Whether the lease is renewed while the function runs. */
    public OnceOptions renew(boolean yes) {
        return new OnceOptions(acquire, onError, yes);
    }
}
