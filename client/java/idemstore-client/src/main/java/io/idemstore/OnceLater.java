// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** Once, for what ends later: the same rules, and no thread waits. */
final class OnceLater {
    private OnceLater() {
    }

    static <T> CompletableFuture<T> run(IdemStore store, Key key,
            OnceOptions options, Codec<T> codec,
            Supplier<? extends CompletionStage<T>> work) {
        return store.acquireAsync(key, options.acquire).thenCompose(answer -> {
            if (answer instanceof Acquired acquired) {
                return claimed(store, store.hold(key, acquired,
                        options.renew), options, codec, work);
            }
            return CompletableFuture.completedFuture(
                    Once.replayed(answer, codec));
        });
    }

    private static <T> CompletableFuture<T> claimed(IdemStore store,
            Claim claim, OnceOptions options, Codec<T> codec,
            Supplier<? extends CompletionStage<T>> work) {
        CompletionStage<T> running;
        try (Claim.Scope scope = claim.enter()) {
            running = Objects.requireNonNull(work.get(),
                    "the work returned null in a stage's place");
        } catch (Throwable why) {
            running = CompletableFuture.failedFuture(why);
        }
        return running.toCompletableFuture()
                .handle((made, why) -> why == null
                        ? record(store, claim, codec, made)
                        : OnceLater.<T>failed(store, claim, options.onError,
                                Once.bare(why)))
                .thenCompose(ended -> ended)
                .whenComplete((made, why) -> claim.close());
    }

    private static <T> CompletableFuture<T> record(IdemStore store,
            Claim claim, Codec<T> codec, T made) {
        byte[] result = null;
        Exception unstorable = null;
        try {
            result = codec.encode(made);
        } catch (Exception why) {
            unstorable = why;
        }
        Exception unstored = unstorable;
        return store.completeAsync(claim.key(), claim.token(), result)
                .handle((told, why) -> {
                    if (why != null) {
                        throw Once.unconfirmed(made,
                                (IdemException) Once.bare(why));
                    }
                    Once.checkRecorded(told, made, unstored);
                    return made;
                });
    }

    private static <T> CompletableFuture<T> failed(IdemStore store,
            Claim claim, OnError onError, Throwable why) {
        CompletableFuture<?> told = switch (Once.fateOf(why, onError)) {
            case RELEASE -> store.releaseAsync(claim.key(), claim.token(),
                    false);
            case COMPLETE -> store.completeAsync(claim.key(), claim.token(),
                    Once.describe(why), CompleteOptions.defaults().asError());
            default -> CompletableFuture.completedFuture(null);
        };
        return told.handle((answer, unheard) -> {
            if (unheard != null) {
                why.addSuppressed(Once.bare(unheard));
            }
            return null;
        }).thenCompose(none -> CompletableFuture.failedFuture(why));
    }
}
