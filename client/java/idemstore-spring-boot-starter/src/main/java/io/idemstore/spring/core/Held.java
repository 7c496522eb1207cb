// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.Claim;
import io.idemstore.CompleteAnswer;
import io.idemstore.CompleteOptions;
import io.idemstore.Completed;
import io.idemstore.IdemException;
import io.idemstore.IdemStore;
import io.idemstore.spring.IdempotencyCounts;
import io.idemstore.spring.IdempotencyCounts.What;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A claim that is held until it is settled, once. */
public final class Held {
    private static final Logger LOG = LoggerFactory.getLogger(Held.class);

    /** What became of a settlement. */
    public enum Told {
        /** It is as it was asked for, or was settled before. */
        RECORDED,
        /** Somebody else has the key by now: he may have run, too. */
        STALE,
        /** It is not known whether it is recorded. */
        UNKNOWN
    }

    private final IdemStore store;
    private final IdempotencyCounts counts;
    private final Claim claim;
    private final long startNs = System.nanoTime();
    private final AtomicBoolean settled = new AtomicBoolean();

    Held(IdemStore store, IdempotencyCounts counts, Claim claim) {
        this.store = store;
        this.counts = counts;
        this.claim = claim;
    }

    public Claim claim() {
        return claim;
    }

    public Claim.Scope enter() {
        return claim.enter();
    }

    public boolean isSettled() {
        return settled.get();
    }

    long startNs() {
        return startNs;
    }

    /** Blocks. The second one changes nothing. */
    public Told settle(Settlement how) {
        if (!settled.compareAndSet(false, true)) {
            return Told.RECORDED;
        }
        try {
            return switch (how.what()) {
                case COMPLETE -> heard(store.complete(claim.key(),
                        claim.token(), how.result(), options(how)), null);
                case RELEASE, UNBIND -> {
                    store.release(claim.key(), claim.token(),
                            how.what() == Settlement.What.UNBIND);
                    yield counted(What.RELEASED, Told.RECORDED);
                }
                case LEAVE -> counted(What.LEFT, Told.RECORDED);
            };
        } catch (IdemException why) {
            return unheard(why);
        } finally {
            claim.close();
        }
    }

    /** Never fails. */
    public CompletableFuture<Told> settleAsync(Settlement how) {
        if (!settled.compareAndSet(false, true)) {
            return CompletableFuture.completedFuture(Told.RECORDED);
        }
        CompletableFuture<Told> told = switch (how.what()) {
            case COMPLETE -> store.completeAsync(claim.key(), claim.token(),
                    how.result(), options(how)).handle(this::heard);
            case RELEASE, UNBIND -> store.releaseAsync(claim.key(),
                    claim.token(), how.what() == Settlement.What.UNBIND)
                    .handle((answer, why) -> why == null
                            ? counted(What.RELEASED, Told.RECORDED)
                            : unheard(why));
            case LEAVE -> CompletableFuture.completedFuture(
                    counted(What.LEFT, Told.RECORDED));
        };
        return told.whenComplete((answer, why) -> claim.close());
    }

    private static CompleteOptions options(Settlement how) {
        CompleteOptions made = CompleteOptions.defaults();
        if (how.isError()) {
            made = made.asError();
        }
        return how.ttl() == null ? made : made.ttl(how.ttl());
    }

    private Told heard(CompleteAnswer answer, Throwable why) {
        if (why != null) {
            return unheard(why);
        }
        if (answer instanceof Completed) {
            return counted(What.COMPLETED, Told.RECORDED);
        }
        LOG.error("a method ended after its claim was lost: {}; another "
                + "caller may have run, too", answer.outcome());
        return counted(What.LOST, Told.STALE);
    }

    private Told unheard(Throwable why) {
        LOG.error("what became of a claim is not surely recorded: {}",
                why.getMessage());
        return counted(What.NOT_RECORDED, Told.UNKNOWN);
    }

    private Told counted(What what, Told told) {
        counts.count(what);
        return told;
    }
}
