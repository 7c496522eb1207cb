// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * What a store is asked, over two methods that ask. The store over sockets and
 * the one in memory are this.
 */
abstract class StoreCalls implements IdemStore {
    private final byte[] ns;
    private final IdemListener listener;
    private final Nonces nonces = new Nonces();
    final Renewer renewer = new Renewer(this::renewLease);

    StoreCalls(String ns, IdemListener listener) {
        this.ns = ns.getBytes(StandardCharsets.UTF_8);
        this.listener = listener;
    }

    /** Blocks until the answer. Throws IdemException. */
    abstract Object ask(Call call);

    /** Does not block. */
    abstract CompletableFuture<Object> askLater(Call call);

    // -------------------------------------------------- what is asked

    private Call call(Call.Method method, Key key) {
        byte[] own = key.rawNamespace();
        return new Call(method, own == null ? ns : own, key.raw());
    }

    private Call toAcquire(Key key, AcquireOptions options) {
        if (options.leaseMs > options.ttlMs) {
            throw IdemException.argument("the lease is over the ttl");
        }
        Call made = call(Call.Method.ACQUIRE, key);
        made.fingerprint = options.fingerprint;
        made.nonce = options.nonce == null ? nonces.draw() : options.nonce;
        made.leaseMs = options.leaseMs;
        made.ttlMs = options.ttlMs;
        made.waitMs = options.waitMs;
        made.onOrphan = options.onOrphan;
        made.timeoutMs = options.timeoutMs;
        return made;
    }

    private Call toComplete(Key key, Token token, byte[] result,
            CompleteOptions options) {
        Call made = call(Call.Method.COMPLETE, key);
        made.token = token;
        made.result = result;
        made.ttlMs = options.ttlMs;
        made.isError = options.error;
        made.timeoutMs = options.timeoutMs;
        return made;
    }

    private Call toRelease(Key key, Token token, boolean unbind) {
        Call made = call(Call.Method.RELEASE, key);
        made.token = token;
        made.unbind = unbind;
        return made;
    }

    private Call toRenew(Key key, Token token, long leaseMs) {
        Call made = call(Call.Method.RENEW, key);
        made.token = token;
        made.leaseMs = leaseMs;
        return made;
    }

    // ------------------------------------------------ asked and heard of

    private Object asked(Call call) {
        if (listener == null) {
            return ask(call);
        }
        Object started = listener.callStarted(call.method.word);
        long startNs = System.nanoTime();
        try {
            Object answer = ask(call);
            tell(started, call, answer, null, startNs);
            return answer;
        } catch (IdemException why) {
            tell(started, call, null, why, startNs);
            throw why;
        }
    }

    private <T> CompletableFuture<T> later(Call call, Class<T> type) {
        CompletableFuture<Object> asked = askLater(call);
        if (listener != null) {
            Object started = listener.callStarted(call.method.word);
            long startNs = System.nanoTime();
            asked = asked.whenComplete((answer, why) ->
                    tell(started, call, answer, why, startNs));
        }
        return asked.thenApply(type::cast);
    }

    private void tell(Object started, Call call, Object answer,
            Throwable why, long startNs) {
        ErrorCode error = why instanceof IdemException e ? e.code() : null;
        String outcome = error != null ? "error"
                : answer instanceof Answer a ? a.outcome() : "answered";
        long attempt = answer instanceof Acquired a ? a.attempt()
                : answer instanceof InProgress p ? p.attempt()
                : answer instanceof Orphaned o ? o.attempt() : 0;
        listener.callEnded(started, new CallEvent(call.method.word, outcome,
                attempt, error, System.nanoTime() - startNs));
    }

    @Override
    public AcquireAnswer acquire(Key key, AcquireOptions options) {
        return (AcquireAnswer) asked(toAcquire(key, options));
    }

    @Override
    public CompleteAnswer complete(Key key, Token token, byte[] result,
            CompleteOptions options) {
        return (CompleteAnswer) asked(
                toComplete(key, token, result, options));
    }

    @Override
    public ReleaseAnswer release(Key key, Token token, boolean unbind) {
        return (ReleaseAnswer) asked(toRelease(key, token, unbind));
    }

    @Override
    public RenewAnswer renew(Key key, Token token, Duration lease) {
        return (RenewAnswer) asked(toRenew(key, token, leaseMs(lease)));
    }

    private static long leaseMs(Duration lease) {
        return Check.ms(lease, "lease", 1, AcquireOptions.LEASE_MS_MAX);
    }

    @Override
    public Peeked peek(Key key) {
        return (Peeked) asked(call(Call.Method.PEEK, key));
    }

    private static Call bare(Call.Method method) {
        return new Call(method, new byte[0], new byte[0]);
    }

    @Override
    public void ping() {
        asked(bare(Call.Method.PING));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Map<String, Long> stats() {
        return (Map<String, Long>) asked(bare(Call.Method.STATS));
    }

    @Override
    public CompletableFuture<AcquireAnswer> acquireAsync(Key key,
            AcquireOptions options) {
        return later(toAcquire(key, options), AcquireAnswer.class);
    }

    @Override
    public CompletableFuture<CompleteAnswer> completeAsync(Key key,
            Token token, byte[] result, CompleteOptions options) {
        return later(toComplete(key, token, result, options),
                CompleteAnswer.class);
    }

    @Override
    public CompletableFuture<ReleaseAnswer> releaseAsync(Key key,
            Token token, boolean unbind) {
        return later(toRelease(key, token, unbind), ReleaseAnswer.class);
    }

    @Override
    public CompletableFuture<RenewAnswer> renewAsync(Key key, Token token,
            Duration lease) {
        return later(toRenew(key, token, leaseMs(lease)), RenewAnswer.class);
    }

    @Override
    public CompletableFuture<Peeked> peekAsync(Key key) {
        return later(call(Call.Method.PEEK, key), Peeked.class);
    }

    // ----------------------------------------------------- all or none

    /** One order for everybody, so that no two wait for each other. */
    private List<Key> inOrder(Collection<Key> keys) {
        TreeSet<Key> sorted = new TreeSet<>();
        for (Key key : keys) {
            byte[] own = key.rawNamespace();
            sorted.add(own == null ? Key.of(ns, key.raw()) : key);
        }
        return new ArrayList<>(sorted);
    }

    @Override
    public AllAnswer acquireAll(Collection<Key> keys,
            AcquireOptions options) {
        AcquireOptions each = options.nonce(null);
        Map<Key, Acquired> claims = new LinkedHashMap<>();
        boolean whole = false;
        try {
            for (Key key : inOrder(keys)) {
                AcquireAnswer answer = acquire(key, each);
                if (!(answer instanceof Acquired acquired)) {
                    return new AllAnswer.NotAll(key, answer);
                }
                claims.put(key, acquired);
            }
            whole = true;
            return new AllAnswer.All(Collections.unmodifiableMap(claims));
        } finally {
            if (!whole) {
                claims.forEach(this::giveBack);
            }
        }
    }

    private void giveBack(Key key, Acquired claim) {
        try {
            release(key, claim.token(), false);
        } catch (IdemException why) {
            // its lease frees it
        }
    }

    @Override
    public CompletableFuture<AllAnswer> acquireAllAsync(
            Collection<Key> keys, AcquireOptions options) {
        return nextOf(inOrder(keys), 0, options.nonce(null),
                new LinkedHashMap<>());
    }

    private CompletableFuture<AllAnswer> nextOf(List<Key> keys, int at,
            AcquireOptions options, Map<Key, Acquired> claims) {
        if (at == keys.size()) {
            return CompletableFuture.completedFuture(new AllAnswer.All(
                    Collections.unmodifiableMap(claims)));
        }
        Key key = keys.get(at);
        return acquireAsync(key, options).handle((answer, why) -> {
            if (answer instanceof Acquired acquired) {
                claims.put(key, acquired);
                return nextOf(keys, at + 1, options, claims);
            }
            CompletableFuture<AllAnswer> ended = why != null
                    ? CompletableFuture.failedFuture(Once.bare(why))
                    : CompletableFuture.completedFuture(
                            new AllAnswer.NotAll(key, answer));
            return giveBackLater(claims).thenCompose(none -> ended);
        }).thenCompose(next -> next);
    }

    private CompletableFuture<Void> giveBackLater(Map<Key, Acquired> claims) {
        List<CompletableFuture<?>> all = new ArrayList<>();
        claims.forEach((key, claim) -> all.add(
                releaseAsync(key, claim.token(), false)
                .exceptionally(why -> null)));
        return CompletableFuture.allOf(
                all.toArray(new CompletableFuture<?>[0]));
    }

    // ----------------------------------------------------- under a claim

    private CompletableFuture<?> renewLease(Lease lease) {
        Call call = toRenew(lease.key, lease.token, lease.leaseMs());
        call.timeoutMs = lease.askMs();
        return askLater(call).handle((answer, why) -> {
            if (why == null) {
                lease.told((RenewAnswer) answer, call.sentNs);
            } else {
                lease.notTold();
            }
            return null;
        });
    }

    @Override
    public Claim hold(Key key, Acquired acquired, boolean renew) {
        Lease lease = new Lease(key, acquired);
        if (renew) {
            renewer.keep(lease);
        }
        return new Claim(key, acquired, lease, () -> renewer.end(lease));
    }

    @Override
    public <T, E extends Exception> T once(Key key, OnceOptions options,
            Codec<T> codec, Work<T, E> work) throws E {
        return Once.run(this, key, options, codec, work);
    }

    @Override
    public <T> CompletableFuture<T> onceAsync(Key key, OnceOptions options,
            Codec<T> codec, Supplier<? extends CompletionStage<T>> work) {
        return OnceLater.run(this, key, options, codec, work);
    }
}
