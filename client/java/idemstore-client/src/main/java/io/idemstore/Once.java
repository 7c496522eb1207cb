// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletionException;

/** What once is made of: what an answer means, how an end is stored. */
final class Once {
    private static final int DESCRIBED_MAX = 4096;

    private Once() {
    }

    static <T, E extends Exception> T run(IdemStore store, Key key,
            OnceOptions options, Codec<T> codec, Work<T, E> work) throws E {
        AcquireAnswer answer = store.acquire(key, options.acquire);
        if (!(answer instanceof Acquired acquired)) {
            return replayed(answer, codec);
        }
        try (Claim claim = store.hold(key, acquired, options.renew)) {
            T made;
            try (Claim.Scope scope = claim.enter()) {
                made = work.run();
            } catch (Throwable why) {
                failed(store, claim, options.onError, why);
                throw why;
            }
            record(store, claim, codec, made);
            return made;
        }
    }

    /** What an earlier run returned. Throws NotRunException. */
    static <T> T replayed(AcquireAnswer answer, Codec<T> codec) {
        if (!(answer instanceof Replay replay)) {
            throw notRun(answer);
        }
        if (replay.isError()) {
            byte[] stored = replay.result();
            throw new FailedBeforeException(replay, stored == null ? ""
                    : new String(stored, StandardCharsets.UTF_8));
        }
        if (replay.result() == null) {
            return null;
        }
        try {
            return codec.decode(replay.result());
        } catch (RuntimeException why) {
            throw why;
        } catch (Exception why) {
            throw new IllegalStateException(
                    "what an earlier run stored can't be decoded", why);
        }
    }

    static NotRunException notRun(AcquireAnswer answer) {
        if (answer instanceof InProgress busy) {
            return new NotRunException(answer, "someone else holds this key, "
                    + "for another " + busy.leaseLeftMs()
                    + " ms unless it is renewed");
        }
        if (answer instanceof Mismatch other) {
            return new NotRunException(answer, "this key was used with "
                    + "another fingerprint; its record is "
                    + other.state().word());
        }
        return new NotRunException(answer, "the holder's lease ended "
                + ((Orphaned) answer).ageMs() + " ms ago, and whether its "
                + "work was done is not known");
    }

    /** What can't be encoded completes all the same: it has happened. */
    static <T> void record(IdemStore store, Claim claim, Codec<T> codec,
            T made) {
        byte[] result = null;
        Exception unstorable = null;
        try {
            result = codec.encode(made);
        } catch (Exception why) {
            unstorable = why;
        }
        CompleteAnswer told;
        try {
            told = store.complete(claim.key(), claim.token(), result);
        } catch (IdemException why) {
            throw unconfirmed(made, why);
        }
        checkRecorded(told, made, unstorable);
    }

    static void checkRecorded(CompleteAnswer told, Object made,
            Exception unstorable) {
        if (!(told instanceof Completed)) {
            throw new NotRecordedException(made, "the function has run, and "
                    + "its claim was " + (told instanceof Stale
                    ? "taken over or given up" : "gone")
                    + " by then: another may have run it, too", null);
        }
        if (unstorable != null) {
            throw new IllegalStateException("the function has run, and what "
                    + "it returned can't be encoded: it is recorded without "
                    + "a result", unstorable);
        }
    }

    static NotRecordedException unconfirmed(Object made, IdemException why) {
        return new NotRecordedException(made, "the function has run, and its "
                + "completion is not confirmed: " + why.getMessage(), why);
    }

    static OnError fateOf(Throwable why, OnError onError) {
        if (why instanceof NothingDoneException) {
            return OnError.RELEASE;
        }
        // It was stopped on its way.
        return why instanceof Exception
                && !(why instanceof InterruptedException)
                ? onError : OnError.LEAVE;
    }

    private static void failed(IdemStore store, Claim claim, OnError onError,
            Throwable why) {
        try {
            switch (fateOf(why, onError)) {
                case RELEASE -> store.release(claim.key(), claim.token());
                case COMPLETE -> store.complete(claim.key(), claim.token(),
                        describe(why), CompleteOptions.defaults().asError());
                default -> { }
            }
        } catch (IdemException unheard) {
            // the work's own exception is what is told; the lease ends it
            why.addSuppressed(unheard);
        }
    }

    /** What is stored of a failure: its type and its text. */
    static byte[] describe(Throwable why) {
        byte[] told = (why.getClass().getSimpleName() + ": "
                + why.getMessage()).getBytes(StandardCharsets.UTF_8);
        return told.length <= DESCRIBED_MAX ? told
                : Arrays.copyOf(told, DESCRIBED_MAX);
    }

    /** Without what CompletableFuture wraps it in. */
    static Throwable bare(Throwable why) {
        Throwable at = why;
        while (at instanceof CompletionException && at.getCause() != null) {
            at = at.getCause();
        }
        return at;
    }
}
