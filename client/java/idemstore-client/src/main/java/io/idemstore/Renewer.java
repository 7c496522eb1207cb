// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.Comparator;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * Renews the leases of a store, each at a third of it. One thread, made for
 * the first lease; it asks, and waits for no answer.
 */
final class Renewer {
    private static final long IDLE_NS = TimeUnit.HOURS.toNanos(1);

    /** A lease with the time it is due at, which stands while it is kept. */
    private record Due(long atNs, long number, Lease lease) {
    }

    private final Function<Lease, CompletableFuture<?>> renew;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final long zeroNs = System.nanoTime();
    private final TreeSet<Due> kept = new TreeSet<>(
            Comparator.comparingLong(Due::atNs).thenComparing(Due::number));
    private Thread thread;
    private long number;
    private long wakeNs;
    private boolean closed;

    Renewer(Function<Lease, CompletableFuture<?>> renew) {
        this.renew = renew;
    }

    void keep(Lease lease) {
        lock.lock();
        try {
            if (closed || lease.isEnded() || lease.isTaken()) {
                return;
            }
            Due due = new Due(lease.dueNs() - zeroNs, ++number, lease);
            lease.kept = due;
            kept.add(due);
            if (thread == null) {
                thread = new Thread(this::run, "idemstore-renew");
                thread.setDaemon(true);
                thread.start();
            } else if (due.atNs < wakeNs) {
                changed.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    void end(Lease lease) {
        lock.lock();
        try {
            lease.end();
            if (lease.kept != null) {
                kept.remove((Due) lease.kept);
                lease.kept = null;
            }
        } finally {
            lock.unlock();
        }
    }

    void close() {
        lock.lock();
        try {
            closed = true;
            kept.clear();
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        while (true) {
            Lease due = next();
            if (due == null) {
                return;
            }
            renew.apply(due).whenComplete((none, why) -> keep(due));
        }
    }

    /** Waits for the next one; null once closed. */
    private Lease next() {
        lock.lock();
        try {
            while (!closed) {
                long nowNs = System.nanoTime() - zeroNs;
                Due first = kept.isEmpty() ? null : kept.first();
                if (first != null && first.atNs <= nowNs) {
                    kept.remove(first);
                    first.lease.kept = null;
                    wakeNs = 0;
                    return first.lease;
                }
                wakeNs = first == null ? nowNs + IDLE_NS : first.atNs;
                sleep(wakeNs - nowNs);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void sleep(long forNs) {
        try {
            changed.awaitNanos(forNs);
        } catch (InterruptedException why) {
            // nobody has this thread to interrupt it
        }
    }
}
