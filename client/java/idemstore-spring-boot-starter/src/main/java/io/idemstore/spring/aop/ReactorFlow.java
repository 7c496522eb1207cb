// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.AcquireAnswer;
import io.idemstore.AcquireOptions;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.Key;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.Invoked;
import io.idemstore.spring.core.ReactorExchange;
import io.idemstore.spring.core.Refusal;
import io.idemstore.spring.core.ReturnKind;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Settlement;
import io.idemstore.spring.core.Unavailable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.aopalliance.intercept.MethodInvocation;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;

/**
 * A method that returns a Mono or a Flux: it is claimed when somebody
 * subscribes, and settled at the end. Loaded only where reactor is there.
 */
final class ReactorFlow {
    private static final int ITEMS_MAX = 10_000;

    private final Claims claims;
    private final ValueFlow values;
    private final Unavailable unavailable;

    ReactorFlow(Claims claims, ValueFlow values, Unavailable unavailable) {
        this.claims = claims;
        this.values = values;
        this.unavailable = unavailable;
    }

    /** No rule: its request is only told that its handler has begun. */
    Object mark(MethodInvocation call) throws Throwable {
        Class<?> type = call.getMethod().getReturnType();
        MethodInvocation copy = ValueFlow.copy(call);
        if (type == Mono.class) {
            return Mono.deferContextual(context -> Mono.from(
                    marked(copy, exchange(context))));
        }
        if (type == Flux.class) {
            return Flux.deferContextual(context ->
                    marked(copy, exchange(context)));
        }
        return call.proceed();
    }

    private static Publisher<Object> marked(MethodInvocation call,
            Optional<ReactorExchange> exchange) {
        exchange.ifPresent(ReactorExchange::began);
        Held held = exchange.map(ReactorExchange::held).orElse(null);
        return held == null ? proceed(call) : within(held, call);
    }

    Object run(Rule rule, MethodInvocation call) {
        MethodInvocation copy = ValueFlow.copy(call);
        return isFlux(call) ? Flux.deferContextual(context -> begun(rule,
                copy, exchange(context)))
                : Mono.deferContextual(context -> Mono.from(begun(rule, copy,
                        exchange(context))));
    }

    private static boolean isFlux(MethodInvocation call) {
        return call.getMethod().getReturnType() == Flux.class;
    }

    private static Optional<ReactorExchange> exchange(
            reactor.util.context.ContextView context) {
        return context.getOrEmpty(ReactorExchange.class);
    }

    private Publisher<Object> begun(Rule rule, MethodInvocation call,
            Optional<ReactorExchange> exchange) {
        exchange.ifPresent(ReactorExchange::began);
        if (rule.isHandler() && exchange.isPresent()) {
            Held held = exchange.get().held();
            return held != null ? within(held, call)
                    : handler(rule, call, exchange.get());
        }
        return service(rule, call);
    }

    @SuppressWarnings("unchecked")
    private static Publisher<Object> proceed(MethodInvocation call) {
        try {
            return (Publisher<Object>) call.proceed();
        } catch (Throwable why) {
            return Mono.error(why);
        }
    }

    private static Publisher<Object> within(Held held, MethodInvocation call) {
        Function<Context, Context> known =
                context -> context.put(Claim.class, held.claim());
        if (isFlux(call)) {
            return Flux.defer(() -> entered(held, call)).contextWrite(known);
        }
        return Mono.defer(() -> Mono.from(entered(held, call)))
                .contextWrite(known);
    }

    private static Publisher<Object> entered(Held held,
            MethodInvocation call) {
        try (Claim.Scope scope = held.enter()) {
            return proceed(call);
        }
    }

    // ------------------------------------------------------------- handlers

    private Publisher<Object> handler(Rule rule, MethodInvocation call,
            ReactorExchange exchange) {
        Invoked invoked = ValueFlow.invoked(call);
        Mono<Optional<Held>> claim = exchange.ask(rule).flatMap(ask -> {
            Key key = rule.key(ask, invoked);
            return asked(key, rule.ask(ask, invoked)).map(answer -> {
                if (answer instanceof Acquired acquired) {
                    return Optional.of(values.hold(rule, key, acquired));
                }
                throw new Refusal(rule.answer(answer));
            });
        }).onErrorResume(IdemException.class, why ->
                unavailable.mayPass(why) ? Mono.just(Optional.empty())
                        : Mono.error(new Refusal(HttpProblem.of(why))));
        return claim.flatMapMany(held -> {
            if (held.isEmpty()) {
                return proceed(call);
            }
            exchange.hold(held.get(), rule);
            return Flux.from(within(held.get(), call))
                    .doOnError(exchange::failed);
        });
    }

    private Mono<AcquireAnswer> asked(Key key, AcquireOptions options) {
        return Mono.fromFuture(() -> claims.acquireAsync(key, options), true);
    }

    // ------------------------------------------------------------- services

    private Publisher<Object> service(Rule rule, MethodInvocation call) {
        Invoked invoked = ValueFlow.invoked(call);
        Key key = rule.key((HttpAsk) null, invoked);
        return asked(key, rule.ask(null, invoked)).flatMapMany(answer -> {
            if (!(answer instanceof Acquired acquired)) {
                return again(rule, rule.replayed(answer));
            }
            Held held = values.hold(rule, key, acquired);
            return rule.kind() == ReturnKind.FLUX
                    ? many(rule, held, Flux.from(within(held, call)))
                    : one(rule, held, Mono.from(within(held, call)));
        });
    }

    private static Publisher<Object> again(Rule rule, Object value) {
        return rule.kind() == ReturnKind.FLUX && value != null
                ? Flux.fromIterable((List<?>) value)
                : Mono.justOrEmpty(value);
    }

    private Mono<Object> one(Rule rule, Held held, Mono<Object> work) {
        return work.map(Optional::of).defaultIfEmpty(Optional.empty())
                .flatMap(value -> done(rule, held, value.orElse(null))
                        .then(Mono.justOrEmpty(value)))
                .onErrorResume(why -> failed(rule, held, why))
                .doOnCancel(() -> held.settle(Rule.unknown()));
    }

    private Flux<Object> many(Rule rule, Held held, Flux<Object> work) {
        List<Object> items = new ArrayList<>();
        return work.doOnNext(item -> {
            if (items.size() <= ITEMS_MAX) {
                items.add(item);
            }
        }).concatWith(Mono.defer(() -> done(rule, held,
                items.size() > ITEMS_MAX ? null : items)
                .then(Mono.empty())))
                .onErrorResume(why -> failed(rule, held, why))
                .doOnCancel(() -> held.settle(Rule.unknown()));
    }

    private Mono<Void> done(Rule rule, Held held, Object value) {
        return Mono.defer(() -> {
            Settlement how = rule.kind() == ReturnKind.FLUX && value == null
                    ? Rule.doneWithoutResult() : rule.returned(held, value,
                    claims.store().resultBytesMax());
            return Mono.fromFuture(held.settleAsync(how), true);
        }).onErrorResume(IllegalStateException.class, why ->
                Mono.fromFuture(held.settleAsync(Rule.doneWithoutResult()),
                        true).then(Mono.error(why)))
                .flatMap(told -> told == Held.Told.RECORDED ? Mono.empty()
                        : Mono.error(ValueFlow.notRecorded(told, value)));
    }

    private <T> Mono<T> failed(Rule rule, Held held, Throwable why) {
        return Mono.defer(() -> Mono.fromFuture(
                held.settleAsync(rule.failed(held, why)), true))
                .then(Mono.error(why));
    }
}
