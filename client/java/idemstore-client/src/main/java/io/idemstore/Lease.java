// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** When a granted lease ends, as far as is known here. */
final class Lease {
    private static final long AGAIN_MS_MAX = 250;
    private static final long ASK_MS_MIN = 20;

    final Key key;
    final Token token;
    /** The renewer's, under its lock. */
    Object kept;
    private volatile long leaseMs;
    private volatile boolean taken;
    private volatile boolean ended;
    private volatile long dueNs;
    private volatile long endNs;
    private volatile long mostNs;

    Lease(Key key, Acquired acquired) {
        this.key = key;
        this.token = acquired.token();
        this.leaseMs = acquired.leaseMs();
        granted(acquired.sentNanos(), System.nanoTime());
    }

    /**
     * The server gave it after the send. Where the answer was long on its
     * way, much of the lease may be left or nothing: that is asked at once,
     * and until it is told the lease counts from the answer.
     */
    private void granted(long sentNs, long answeredNs) {
        long lengthNs = leaseMs * 1_000_000;
        mostNs = answeredNs + lengthNs;
        if (answeredNs - (sentNs + lengthNs / 3) >= 0) {
            dueNs = answeredNs;
            endNs = mostNs;
        } else {
            dueNs = sentNs + lengthNs / 3;
            endNs = sentNs + lengthNs;
        }
    }

    void told(RenewAnswer answer, long sentNs) {
        if (answer instanceof Renewed renewed) {
            leaseMs = renewed.leaseMs();
            granted(sentNs, System.nanoTime());
        } else {
            taken = true;
        }
    }

    void notTold() {
        dueNs = System.nanoTime()
                + Math.min(leaseMs / 20 + 1, AGAIN_MS_MAX) * 1_000_000;
    }

    long leaseMs() {
        return leaseMs;
    }

    long dueNs() {
        return dueNs;
    }

    boolean isTaken() {
        return taken;
    }

    boolean isEnded() {
        return ended;
    }

    void end() {
        ended = true;
    }

    boolean isLost() {
        return taken || System.nanoTime() - endNs >= 0;
    }

    long leftMs() {
        return Math.max((mostNs - System.nanoTime()) / 1_000_000, 0);
    }

    /** How long one renewal may take. */
    long askMs() {
        return Math.max(leaseMs / 3, ASK_MS_MIN);
    }
}
