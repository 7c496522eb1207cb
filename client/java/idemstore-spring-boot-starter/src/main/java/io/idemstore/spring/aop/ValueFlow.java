// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.AcquireAnswer;
import io.idemstore.AcquireOptions;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.Key;
import io.idemstore.NotRecordedException;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.Invoked;
import io.idemstore.spring.core.ReturnKind;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Settlement;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.aopalliance.intercept.MethodInvocation;
import org.springframework.aop.ProxyMethodInvocation;
import org.springframework.util.ClassUtils;

/** A method whose value is what duplicates get: a service's, a listener's. */
final class ValueFlow {
    private static final boolean HAS_TX = ClassUtils.isPresent(
            "org.springframework.transaction.support."
            + "TransactionSynchronizationManager",
            ValueFlow.class.getClassLoader());
    private static final boolean HAS_REACTOR = ClassUtils.isPresent(
            "reactor.core.scheduler.Schedulers",
            ValueFlow.class.getClassLoader());

    private final Claims claims;

    ValueFlow(Claims claims) {
        this.claims = claims;
    }

    Object run(Rule rule, MethodInvocation call, HttpAsk ask)
            throws Throwable {
        if (rule.kind() == ReturnKind.STAGE) {
            return stage(rule, copy(call), ask);
        }
        if (rule.kind() == ReturnKind.CALLABLE) {
            MethodInvocation copy = copy(call);
            return (Callable<Object>) () -> callable(rule, copy, ask);
        }
        return value(rule, call, ask, false);
    }

    static MethodInvocation copy(MethodInvocation call) {
        return ((ProxyMethodInvocation) call).invocableClone();
    }

    static Invoked invoked(MethodInvocation call) {
        return new Invoked(call.getThis(), call.getMethod(),
                call.getArguments());
    }

    private Object callable(Rule rule, MethodInvocation call, HttpAsk ask)
            throws Exception {
        try {
            return value(rule, call, ask, true);
        } catch (Exception | Error why) {
            throw why;
        } catch (Throwable why) {
            throw new IllegalStateException(why);
        }
    }

    private Object value(Rule rule, MethodInvocation call, HttpAsk ask,
            boolean isCallable) throws Throwable {
        Invoked invoked = invoked(call);
        Key key = rule.key(ask, invoked);
        AcquireAnswer answer = claims.acquire(key, rule.ask(ask, invoked));
        if (!(answer instanceof Acquired acquired)) {
            return rule.replayed(answer);
        }
        Held held = hold(rule, key, acquired);
        Object value;
        try (Claim.Scope scope = held.enter()) {
            value = call.proceed();
            if (isCallable) {
                value = ((Callable<?>) value).call();
            }
            if (rule.kind() == ReturnKind.VALUE) {
                checkEnded(rule, value);
            }
        } catch (Throwable why) {
            end(held, rule.failed(held, why), rule.failed(held, why));
            throw why;
        }
        returned(rule, held, value);
        return value;
    }

    /** A declared Object that turns out to be a Future, say. */
    private static void checkEnded(Rule rule, Object value) {
        if (value instanceof CompletionStage<?>
                || value instanceof java.util.concurrent.Future<?>) {
            throw new IllegalStateException(rule + " returned a "
                    + value.getClass().getName() + ", whose end can't be "
                    + "followed unless its return type says so");
        }
    }

    /** With expireTime and without renewal it is settled from the start. */
    Held hold(Rule rule, Key key, Acquired acquired) {
        Held held = claims.hold(key, acquired, rule.isRenewed());
        if (rule.isExpiring() && !rule.isRenewed()) {
            held.settle(rule.expiringAtOnce());
        }
        return held;
    }

    private void returned(Rule rule, Held held, Object value) {
        Settlement done;
        IllegalStateException unwritable = null;
        try {
            done = rule.returned(held, value,
                    claims.store().resultBytesMax());
        } catch (IllegalStateException why) {
            done = Rule.doneWithoutResult();
            unwritable = why;
        }
        Held.Told told = end(held, done, rule.rolledBack());
        if (told != Held.Told.RECORDED) {
            throw notRecorded(told, value);
        }
        if (unwritable != null) {
            throw unwritable;
        }
    }

    private static Held.Told end(Held held, Settlement done,
            Settlement rolledBack) {
        if (HAS_TX && !held.isSettled() && EnclosingTransaction.isActive()) {
            EnclosingTransaction.settleAtEnd(held, done, rolledBack,
                    Rule.unknown());
            return Held.Told.RECORDED;
        }
        return held.settle(done);
    }

    static NotRecordedException notRecorded(Held.Told told, Object value) {
        return new NotRecordedException(value, told == Held.Told.STALE
                ? "the method has run, and its claim was taken over by then: "
                + "another may have run it, too"
                : "the method has run, and its completion is not confirmed",
                null);
    }

    // ------------------------------------------------------ what ends later

    private CompletionStage<Object> stage(Rule rule, MethodInvocation call,
            HttpAsk ask) {
        Invoked invoked = invoked(call);
        Key key = rule.key(ask, invoked);
        AcquireOptions options = rule.ask(ask, invoked);
        CompletableFuture<AcquireAnswer> asked = mayWait()
                ? CompletableFuture.completedFuture(
                        claims.acquire(key, options))
                : claims.acquireAsync(key, options);
        return asked.thenCompose(answer -> {
            if (answer instanceof Acquired acquired) {
                return running(rule, hold(rule, key, acquired), call);
            }
            return CompletableFuture.completedFuture(rule.replayed(answer));
        });
    }

    private static boolean mayWait() {
        return !HAS_REACTOR || !EventLoops.isHere();
    }

    @SuppressWarnings("unchecked")
    private CompletionStage<Object> running(Rule rule, Held held,
            MethodInvocation call) {
        CompletionStage<Object> running;
        try (Claim.Scope scope = held.enter()) {
            running = (CompletionStage<Object>) call.proceed();
        } catch (Throwable why) {
            running = CompletableFuture.failedFuture(why);
        }
        return running.handle((value, why) -> why == null
                ? done(rule, held, value)
                : this.<Object>failed(rule, held, bare(why)))
                .thenCompose(ended -> ended);
    }

    private CompletionStage<Object> done(Rule rule, Held held, Object value) {
        Settlement how;
        try {
            how = rule.returned(held, value,
                    claims.store().resultBytesMax());
        } catch (IllegalStateException why) {
            return held.settleAsync(Rule.doneWithoutResult())
                    .thenCompose(told -> CompletableFuture.failedFuture(why));
        }
        return held.settleAsync(how).thenApply(told -> {
            if (told != Held.Told.RECORDED) {
                throw notRecorded(told, value);
            }
            return value;
        });
    }

    private <T> CompletionStage<T> failed(Rule rule, Held held,
            Throwable why) {
        return held.settleAsync(rule.failed(held, why))
                .thenCompose(told -> CompletableFuture.failedFuture(why));
    }

    static Throwable bare(Throwable why) {
        Throwable at = why;
        while (at instanceof CompletionException && at.getCause() != null) {
            at = at.getCause();
        }
        return at;
    }
}
