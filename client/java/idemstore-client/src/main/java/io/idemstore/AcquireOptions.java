// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.time.Duration;

/**
 * How a key is asked for. Immutable: each method returns another one. Make
 * those that do not change once.
 *
 * <pre>AcquireOptions.defaults().lease(Duration.ofSeconds(10))</pre>
 */
public final class AcquireOptions {
    public static final long LEASE_MS_DEFAULT = 30_000;
    public static final long LEASE_MS_MAX = 86_400_000;
    public static final long TTL_MS_DEFAULT = 86_400_000;
    public static final long TTL_MS_MAX = 31_622_400_000L;
    public static final long WAIT_MS_MAX = 60_000;
    public static final int FINGERPRINT_BYTES_MAX = 64;
    public static final int NONCE_BYTES_MAX = 32;

    private static final AcquireOptions DEFAULTS = new AcquireOptions();

    byte[] fingerprint;
    byte[] nonce;
    long leaseMs = LEASE_MS_DEFAULT;
    long ttlMs = TTL_MS_DEFAULT;
    long waitMs;
    OnOrphan onOrphan = OnOrphan.TAKEOVER;
    long timeoutMs;

    private AcquireOptions() {
    }

    private AcquireOptions(AcquireOptions from) {
        fingerprint = from.fingerprint;
        nonce = from.nonce;
        leaseMs = from.leaseMs;
        ttlMs = from.ttlMs;
        waitMs = from.waitMs;
        onOrphan = from.onOrphan;
        timeoutMs = from.timeoutMs;
    }

    /** Lease 30 s, retention 24 h, no wait, no fingerprint, takeover. */
    public static AcquireOptions defaults() {
        return DEFAULTS;
    }

    /**
     * What the request asks for, at most 64 bytes; where the stored one
     * differs, the answer is {@link Mismatch}. Null: nothing is compared.
     */
    public AcquireOptions fingerprint(byte[] bytes) {
        if (bytes != null && bytes.length > FINGERPRINT_BYTES_MAX) {
            throw IdemException.argument(
                    "a fingerprint has at most 64 bytes, not "
                    + bytes.length);
        }
        AcquireOptions made = new AcquireOptions(this);
        made.fingerprint = bytes == null ? null : bytes.clone();
        return made;
    }

    /**
     * Only to ask again what an unknown outcome left open:
     * {@link IdemException#nonce}. 1 to 32 bytes; null: one is drawn.
     */
    public AcquireOptions nonce(byte[] bytes) {
        if (bytes != null
                && (bytes.length < 1 || bytes.length > NONCE_BYTES_MAX)) {
            throw IdemException.argument("a nonce has 1 to 32 bytes, not "
                    + bytes.length);
        }
        AcquireOptions made = new AcquireOptions(this);
        made.nonce = bytes == null ? null : bytes.clone();
        return made;
    }

    /**
     * For how long you may work before others may take over: 1 ms to 24 h.
     * A retention that is shorter grows with it.
     */
    public AcquireOptions lease(Duration lease) {
        AcquireOptions made = new AcquireOptions(this);
        made.leaseMs = Check.ms(lease, "lease", 1, LEASE_MS_MAX);
        made.ttlMs = Math.max(ttlMs, made.leaseMs);
        return made;
    }

    /**
     * Retention: for how long the record is kept, from its last change of
     * state on: 1 ms to 366 days, not shorter than the lease.
     */
    public AcquireOptions ttl(Duration ttl) {
        AcquireOptions made = new AcquireOptions(this);
        made.ttlMs = Check.ms(ttl, "ttl", 1, TTL_MS_MAX);
        return made;
    }

    /**
     * For how long the answer may be held back while someone else holds the
     * claim: 0 to 60 s. On top of the timeout.
     */
    public AcquireOptions waitFor(Duration wait) {
        AcquireOptions made = new AcquireOptions(this);
        made.waitMs = Check.ms(wait, "waitFor", 0, WAIT_MS_MAX);
        return made;
    }

    public AcquireOptions onOrphan(OnOrphan what) {
        AcquireOptions made = new AcquireOptions(this);
        made.onOrphan = what;
        return made;
    }

    /** The call's own deadline, in the store's place: 1 ms to 24 h. */
    public AcquireOptions timeout(Duration timeout) {
        AcquireOptions made = new AcquireOptions(this);
        made.timeoutMs = Check.ms(timeout, "timeout", 1, LEASE_MS_MAX);
        return made;
    }

    public long leaseMs() {
        return leaseMs;
    }

    public long ttlMs() {
        return ttlMs;
    }
}
