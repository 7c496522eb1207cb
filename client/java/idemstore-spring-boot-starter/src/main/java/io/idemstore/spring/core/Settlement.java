// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.time.Duration;

/**
 * What the end of a call does to its claim.
 *
 * @param result of a COMPLETE; null: none is kept
 * @param isError duplicates hear that it failed
 * @param ttl of a COMPLETE; null: the retention that was asked for
 */
public record Settlement(What what, byte[] result, boolean isError,
        Duration ttl) {
    static final Settlement LEAVE =
            new Settlement(What.LEAVE, null, false, null);
    static final Settlement RELEASE =
            new Settlement(What.RELEASE, null, false, null);
    static final Settlement UNBIND =
            new Settlement(What.UNBIND, null, false, null);

    enum What {
        COMPLETE, RELEASE, UNBIND, LEAVE
    }

    /** The lease ends it. */
    public static Settlement leave() {
        return LEAVE;
    }

    /** Nothing has happened: the key and its fingerprint are free. */
    public static Settlement unbind() {
        return UNBIND;
    }

    public static Settlement complete(byte[] result) {
        return new Settlement(What.COMPLETE, result, false, null);
    }

    static Settlement failed(byte[] described) {
        return new Settlement(What.COMPLETE, described, true, null);
    }

    /**
     * A claim that stands for so many seconds from its start, and replays
     * nothing: what is left of them.
     */
    static Settlement expiring(long startNs, int expireS, long nowNs) {
        long leftMs = expireS * 1000L - (nowNs - startNs) / 1_000_000;
        return leftMs <= 0 ? UNBIND : new Settlement(What.COMPLETE, null,
                false, Duration.ofMillis(leftMs));
    }
}
