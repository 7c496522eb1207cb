// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * A claim that is held: its token, and what the function under it may ask.
 * Closing it ends its renewal, and changes nothing in the store.
 */
public final class Claim implements AutoCloseable {
    private static final ThreadLocal<Claim> CURRENT = new ThreadLocal<>();

    private final Key key;
    private final Acquired acquired;
    private final Lease lease;
    private final Runnable onClose;
    private volatile boolean nothingDone;

    Claim(Key key, Acquired acquired, Lease lease, Runnable onClose) {
        this.key = key;
        this.acquired = acquired;
        this.lease = lease;
        this.onClose = onClose;
    }

    /** The claim under which this thread works, or null. */
    public static Claim current() {
        return CURRENT.get();
    }

    /** Makes it this thread's current one, until the scope is closed. */
    public Scope enter() {
        Claim before = CURRENT.get();
        CURRENT.set(this);
        return () -> {
            if (before == null) {
                CURRENT.remove();
            } else {
                CURRENT.set(before);
            }
        };
    }

    /** Closed on the thread that entered. */
    public interface Scope extends AutoCloseable {
        @Override
        void close();
    }

    public Key key() {
        return key;
    }

    /** Write it beside your own row; a later holder's is greater. */
    public Token token() {
        return acquired.token();
    }

    /** 1 for the first claim of the key. */
    public long attempt() {
        return acquired.attempt();
    }

    /** ORPHANED: the one before may or may not have had its effect. */
    public Previous previous() {
        return acquired.previous();
    }

    /** The lease is over or taken, as far as is known: stop if you can. */
    public boolean isLost() {
        return lease.isLost();
    }

    /** Until others may take over, unless it is renewed. */
    public long leaseLeftMs() {
        return lease.leftMs();
    }

    /**
     * A handler behind a filter says: it answers, and nothing has happened.
     * Its answer is not stored, a retry begins anew.
     */
    public void markNothingDone() {
        nothingDone = true;
    }

    public boolean isNothingDone() {
        return nothingDone;
    }

    Lease lease() {
        return lease;
    }

    /** Renews it no more. May be called again. */
    @Override
    public void close() {
        onClose.run();
    }
}
