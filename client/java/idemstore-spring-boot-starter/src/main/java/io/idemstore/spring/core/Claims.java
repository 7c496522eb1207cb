// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.AcquireAnswer;
import io.idemstore.AcquireOptions;
import io.idemstore.Acquired;
import io.idemstore.IdemException;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import io.idemstore.spring.IdempotencyCounts;
import io.idemstore.spring.IdempotencyCounts.What;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;

/** The store as the starter asks it: everything is counted. */
public final class Claims {
    private final IdemStore store;
    private final IdempotencyCounts counts;

    public Claims(IdemStore store, IdempotencyCounts counts) {
        this.store = store;
        this.counts = counts;
    }

    public IdemStore store() {
        return store;
    }

    public IdempotencyCounts counts() {
        return counts;
    }

    /** Blocks. */
    public AcquireAnswer acquire(Key key, AcquireOptions options) {
        try {
            return counted(store.acquire(key, options));
        } catch (IdemException why) {
            counts.count(What.UNAVAILABLE);
            throw why;
        }
    }

    public CompletableFuture<AcquireAnswer> acquireAsync(Key key,
            AcquireOptions options) {
        return store.acquireAsync(key, options).whenComplete((told, why) -> {
            if (why != null) {
                counts.count(What.UNAVAILABLE);
            } else {
                counted(told);
            }
        });
    }

    private AcquireAnswer counted(AcquireAnswer told) {
        counts.count(What.valueOf(told.outcome().toUpperCase(Locale.ROOT)));
        return told;
    }

    public Held hold(Key key, Acquired acquired, boolean renew) {
        return new Held(store, counts, store.hold(key, acquired, renew));
    }
}
