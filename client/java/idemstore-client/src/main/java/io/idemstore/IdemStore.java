// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * A store of idempotency keys: one for a process, shared by any number of
 * threads, also virtual ones. It connects at its first call, keeps a
 * connection per shard of the server, and follows the primary.
 *
 * <p>A call is answered, or throws {@link IdemException}, whose
 * {@link IdemException#assume} tells what became of the record. Calls block up
 * to their deadline; the ones that end in Async never do, and fail their
 * future with the same exception. An interrupt ends a blocking acquire
 * (INTERRUPTED); what follows an acquire is carried through, and the
 * thread stays interrupted.
 */
public interface IdemStore extends AutoCloseable {

    /**
     * Opens a store; nothing is connected yet.
     *
     * @throws IdemException URI, TLS (a PEM file can't be used)
     */
    static IdemStore open(String uri) {
        return open(IdemStoreOptions.builder(uri).build());
    }

    /** Opens a store. */
    static IdemStore open(IdemStoreOptions options) {
        return new NetStore(options);
    }

    /** May I? Lease 30 s, retention 24 h, no fingerprint. */
    default AcquireAnswer acquire(Key key) {
        return acquire(key, AcquireOptions.defaults());
    }

    /** May I? */
    AcquireAnswer acquire(Key key, AcquireOptions options);

    /**
     * It has happened.
     *
     * @param result what duplicates get: no bytes are a result, null is none.
     *     One over the server's limit completes, and kept is false. It must
     *     not change during the call.
     */
    default CompleteAnswer complete(Key key, Token token, byte[] result) {
        return complete(key, token, result, CompleteOptions.defaults());
    }

    /** It has happened. */
    CompleteAnswer complete(Key key, Token token, byte[] result,
            CompleteOptions options);

    /** It failed cleanly, and may be claimed again. */
    default ReleaseAnswer release(Key key, Token token) {
        return release(key, token, false);
    }

    /**
     * It failed cleanly, and may be claimed again.
     *
     * @param unbind the record and its fingerprint are dropped
     */
    ReleaseAnswer release(Key key, Token token, boolean unbind);

    /** The lease begins anew: 1 ms to 24 h. */
    RenewAnswer renew(Key key, Token token, Duration lease);

    /** Shows a record, and changes nothing. */
    Peeked peek(Key key);

    /** Whether the server answers. */
    void ping();

    /** The server's counters; which there are may change. */
    Map<String, Long> stats();

    /**
     * Each key, in one order for everybody, or none: what was claimed before
     * one that is not to be had is released. A nonce in the options is not
     * used.
     */
    AllAnswer acquireAll(Collection<Key> keys, AcquireOptions options);

    /**
     * Runs the work once per key and returns what it returned, then and later.
     *
     * <p>Where it throws, its exception goes on, and {@link OnError} says what
     * becomes of the claim. {@link NothingDoneException} always releases; an
     * Error and an InterruptedException leave.
     *
     * @throws NotRunException in progress, mismatch, orphaned (with REPORT):
     *     it was not run; {@link FailedBeforeException}: it ran before
     * @throws NotRecordedException it has run, and that is not surely recorded
     * @throws IdemException it was not run
     * @throws E the work's own
     */
    <T, E extends Exception> T once(Key key, OnceOptions options,
            Codec<T> codec, Work<T, E> work) throws E;

    /** With a lease of 30 s that is renewed, and a retention of 24 h. */
    default <T, E extends Exception> T once(Key key, Codec<T> codec,
            Work<T, E> work) throws E {
        return once(key, OnceOptions.defaults(), codec, work);
    }

    /** See {@link #acquire}. */
    CompletableFuture<AcquireAnswer> acquireAsync(Key key,
            AcquireOptions options);

    /** See {@link #complete}. */
    CompletableFuture<CompleteAnswer> completeAsync(Key key, Token token,
            byte[] result, CompleteOptions options);

    /** See {@link #complete}. */
    default CompletableFuture<CompleteAnswer> completeAsync(Key key,
            Token token, byte[] result) {
        return completeAsync(key, token, result, CompleteOptions.defaults());
    }

    /** See {@link #release}. */
    CompletableFuture<ReleaseAnswer> releaseAsync(Key key, Token token,
            boolean unbind);

    /** See {@link #renew}. */
    CompletableFuture<RenewAnswer> renewAsync(Key key, Token token,
            Duration lease);

    /** See {@link #peek}. */
    CompletableFuture<Peeked> peekAsync(Key key);

    /** See {@link #acquireAll}. */
    CompletableFuture<AllAnswer> acquireAllAsync(Collection<Key> keys,
            AcquireOptions options);

    /**
     * See {@link #once}. The claim is current while the supplier runs, not in
     * the stages behind it. Cancelling the future stops nothing: what runs is
     * carried through and recorded.
     */
    <T> CompletableFuture<T> onceAsync(Key key, OnceOptions options,
            Codec<T> codec, Supplier<? extends CompletionStage<T>> work);

    /**
     * For whoever builds an adapter: keeps a claim's lease renewed until the
     * claim is closed. {@link #once} does it by itself.
     *
     * @param renew false: the lease is only watched
     */
    Claim hold(Key key, Acquired acquired, boolean renew);

    /** What the server keeps of a result, in bytes, as far as is known. */
    int resultBytesMax();

    /** How it stands. */
    StoreStatus status();

    /**
     * Ends its connections. Calls of other threads end with CLOSED (nothing
     * was sent) or LOST. May be called again.
     */
    @Override
    void close();
}
