// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * One call with all its attempts: what is done again, where, and until when.
 * Never sends twice what could count twice: a repeated acquire has its first
 * nonce, all else a token. No socket.
 *
 * <p>What comes after an attempt belongs to the store's own thread. Who asked
 * waits for the outcome, which is set once.
 */
final class Course {
    /**
     * So often does one call go where NOT_PRIMARY sends it. Servers that still
     * send it on then don't know: the other endpoints are asked.
     */
    private static final int HOPS_MAX = 8;
    private static final VarHandle OUTCOME;

    static {
        try {
            OUTCOME = MethodHandles.lookup().findVarHandle(Course.class,
                    "outcome", Object.class);
        } catch (ReflectiveOperationException never) {
            throw new ExceptionInInitializerError(never);
        }
    }

    /** An attempt that was not answered. sent: it may have taken effect. */
    record Lost(IdemException error, int serial, boolean sent) {
    }

    final Call call;
    final long start;
    final long deadline;
    /** 0, or for how long a change may wait for its confirmation. */
    final long fast;
    private final EndpointSelector selector;
    private final Watch watch;

    // Of the attempt under way; under its link's lock.
    long msgid;
    long sent;
    /** When the attempt is over without an answer. */
    long attemptEnd;
    /** Its last byte among all of its connection. */
    long endAt;
    boolean trimmed;

    // Of all attempts; the store's own thread.
    int dialsBefore;
    private ErrorCode unsure;
    private int hops;
    private int unreplicated;
    private boolean denied;
    private IdemException down;
    /** A claim that came when nobody waited for it any more. */
    Acquired stray;
    private Backoff backoff;

    @SuppressWarnings("unused") // by its handle
    private volatile Object outcome;
    private volatile Thread waiter;
    private CompletableFuture<Object> future;
    private Executor executor;

    Course(Call call, EndpointSelector selector, Watch watch, long now,
            long timeout, long failFast) {
        this.call = call;
        this.selector = selector;
        this.watch = watch;
        this.start = now;
        long limit = call.timeoutMs > 0 ? call.timeoutMs * Ticks.MS : timeout;
        this.deadline = now + limit + call.waitMs * Ticks.MS;
        this.fast = call.method.isChange ? failFast : 0;
    }

    // ------------------------------------------------------- who asked

    /** Where the outcome goes, in place of a thread that waits. */
    CompletableFuture<Object> into(Executor where) {
        executor = where;
        future = new CompletableFuture<>();
        return future;
    }

    boolean isDone() {
        return outcome != null;
    }

    /** False: it was over already. */
    boolean finish(Object made) {
        // Before who asked can go on, and ask for more.
        watch.underWay.decrementAndGet();
        if (!OUTCOME.compareAndSet(this, null, made)) {
            watch.underWay.incrementAndGet();
            return false;
        }
        if (future != null) {
            executor.execute(() -> settle(made));
        } else {
            LockSupport.unpark(waiter);
        }
        return true;
    }

    private void settle(Object made) {
        if (made instanceof IdemException why) {
            future.completeExceptionally(why);
        } else {
            future.complete(made);
        }
    }

    /**
     * Blocks until the outcome, which the store's own thread sets at the
     * deadline at the latest.
     */
    Object await() {
        waiter = Thread.currentThread();
        boolean interrupted = false;
        while (outcome == null) {
            LockSupport.park(this);
            if (Thread.interrupted()) {
                interrupted = true;
                if (call.method == Call.Method.ACQUIRE) {
                    finish(Errors.interrupted().withNonce(call.nonce));
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        Object made = outcome;
        if (made instanceof IdemException why) {
            why.setStackTrace(new Throwable().getStackTrace());
            throw why;
        }
        return made;
    }

    // ------------------------------------------------ before an attempt

    /** False: it is not to be tried, and has been told so. */
    boolean mayGo(long now) {
        if (fast == 0 || !watch.changesWait || watch.mayTry(now, fast)) {
            return true;
        }
        watch.failedFast.incrementAndGet();
        conclude(new IdemException(ErrorCode.CHANGES_WAIT, "changes wait for "
                + "the replica; nothing was sent. Ask again later, or see "
                + "idemctl replication"));
        return false;
    }

    /** Writes its request. */
    void write(Packer out, long number, long now, int resultBytesMax) {
        msgid = number;
        sent = now;
        call.sentNs = Ticks.nanoTime(now);
        attemptEnd = fast > 0 && call.waitMs == 0
                ? Math.min(deadline, now + fast) : deadline;
        trimmed = call.result != null && call.result.length > resultBytesMax;
        long waitMs = call.waitMs == 0 ? 0
                : Math.max(call.waitMs - (now - start) / Ticks.MS, 0);
        Wire.request(out, number, call, waitMs, trimmed);
    }

    /** Whether its link may wait long for the answer, and all is well. */
    boolean isQuickChange() {
        return call.method.isChange && call.waitMs == 0;
    }

    // ------------------------------------------------- after an attempt

    /** Null: it is over. Else the attempt was in vain. */
    Lost answered(String endpoint, int serial, String error, Object result) {
        if (error != null) {
            return new Lost(Errors.said(endpoint, error), serial, true);
        }
        Object answer;
        try {
            answer = Wire.read(call, result);
        } catch (Wire.Garbled why) {
            return new Lost(IdemException.at(ErrorCode.GARBLED, endpoint,
                    "the reply of " + endpoint
                    + " is not an answer to the call"), serial, true);
        }
        if (watch.changesWait && (answer instanceof Acquired
                || answer instanceof Completed || answer instanceof Released
                || answer instanceof Renewed)) {
            watch.changesWait = false;
        }
        if (trimmed && answer instanceof Completed done) {
            answer = new Completed(false, done.ttlMs());
        }
        if (!finish(answer) && answer instanceof Acquired claim) {
            stray = claim;
        }
        return null;
    }

    /** How long to pause before the next attempt; -1: it is over. */
    long failed(Lost lost, long now) {
        long pause = isWorthAnother(lost) ? pause(lost.error, now) : -1;
        if (pause < 0) {
            conclude(lost.error);
        } else {
            watch.repeats.incrementAndGet();
        }
        return pause;
    }

    private boolean isWorthAnother(Lost lost) {
        switch (lost.error.code()) {
            case LOST:
                if (lost.sent && unsure == null) {
                    unsure = ErrorCode.LOST;
                }
                return true;
            case NOT_PRIMARY:
                followed(lost);
                return true;
            case SHUTTING_DOWN:
                down = lost.error;
                selector.failed(lost.serial);
                return true;
            case UNREPLICATED:
                return notConfirmed(lost);
            case DENIED:
                // The nodes may not have the same credentials yet.
                boolean again = !denied && selector.endpoints.size() > 1;
                denied = true;
                selector.failed(lost.serial);
                return again;
            default:
                return lost.error.code() == ErrorCode.LIMIT
                        && lost.error.retryMs() >= 0;
        }
    }

    private void followed(Lost lost) {
        hops++;
        String named = lost.error.primary();
        if (hops <= HOPS_MAX && !named.equals(lost.error.endpoint())) {
            selector.redirect(lost.serial, named);
        } else {
            selector.failed(lost.serial);
        }
    }

    /**
     * The primary may be about to confirm, or be cut off and replaced by now:
     * it and the others are asked in turns.
     */
    private boolean notConfirmed(Lost lost) {
        unsure = ErrorCode.UNREPLICATED;
        watch.unreplicated.incrementAndGet();
        watch.changesWait = true;
        if (++unreplicated % 2 == 0) {
            selector.failed(lost.serial);
        }
        return fast == 0;
    }

    /** -1: the deadline is too near for another attempt. */
    private long pause(IdemException error, long now) {
        if (error.code() == ErrorCode.LOST) {
            return 0; // the connection pauses before the next dial again
        }
        long left = deadline - now;
        if (left <= 0) {
            return -1;
        }
        if (error.retryMs() >= 0) {
            // Full jitter above what the server asks for.
            long asked = Math.max(error.retryMs() * Ticks.MS, Ticks.MS);
            long pause = ThreadLocalRandom.current().nextLong(
                    asked, 2 * asked);
            return pause < left ? pause : -1;
        }
        if (backoff == null) {
            backoff = new Backoff();
        }
        long pause = backoff.pause(1);
        backoff.attempts++;
        // An attempt that has no time would only tell that time was over.
        return left < Backoff.FIRST ? -1 : Math.min(pause, left / 2);
    }

    /**
     * The call ends with that, unless an attempt that may have taken effect
     * outweighs what a later one says.
     */
    void conclude(IdemException error) {
        ErrorCode code = error.code();
        if ((code == ErrorCode.TIMEOUT || code == ErrorCode.UNREPLICATED)
                && fast > 0) {
            watch.tryAt.set(sent + fast);
        }
        if (code == ErrorCode.TIMEOUT) {
            watch.timeouts.incrementAndGet();
        }
        IdemException told = error;
        if (unsure != null && !error.isUnknown()) {
            told = IdemException.at(unsure, error.endpoint(), "an attempt of "
                    + "this call may have taken effect (" + unsure.text()
                    + "); ask again with the same nonce or token; the last "
                    + "attempt: " + error.getMessage());
        } else if (down != null && error.isUnchanged()) {
            told = down;
        } else if (code == ErrorCode.NOT_PRIMARY) {
            told = new IdemException(code, "no server was the primary before "
                    + "the deadline, and the last one that was asked, "
                    + error.endpoint() + ", names "
                    + (error.primary().isEmpty() ? "none" : error.primary())
                    + "; see idemctl replication", error.endpoint(),
                    error.primary(), -1, null);
        }
        finish(told.ofCall(call.nonce));
    }
}
