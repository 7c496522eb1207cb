// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.AcquireAnswer;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.HttpAnswer;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.Key;
import io.idemstore.Replay;
import io.idemstore.spring.ReactivePrincipal;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.ReactorExchange;
import io.idemstore.spring.core.Refusal;
import io.idemstore.spring.core.Rules;
import io.idemstore.spring.core.Unavailable;
import java.util.List;
import java.util.Optional;
import org.springframework.core.Ordered;
import org.springframework.http.HttpHeaders;
import org.springframework.http.server.PathContainer;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;
import reactor.core.publisher.Mono;

/**
 * Holds a WebFlux application to docs/http.md. Paths that are covered are
 * claimed here, annotated handlers by their aspect; what leaves settles both.
 */
public final class IdempotencyWebFilter implements WebFilter, Ordered {
    private final Claims claims;
    private final WebPolicy policy;
    private final Unavailable unavailable;
    private final int order;
    private final ReactiveExchange.Shared shared;
    private final List<PathPattern> paths;

    /** @param order behind the filter that authenticates */
    public IdempotencyWebFilter(Claims claims, WebPolicy policy, Rules rules,
            ReactivePrincipal principal, Unavailable unavailable, int order) {
        this.claims = claims;
        this.policy = policy;
        this.unavailable = unavailable;
        this.order = order;
        this.shared = new ReactiveExchange.Shared(policy, rules, principal,
                claims.store().resultBytesMax(), !policy.paths().isEmpty());
        this.paths = policy.paths().stream()
                .map(PathPatternParser.defaultInstance::parse).toList();
    }

    ReactiveExchange exchange(ServerHttpRequest request,
            ServerHttpResponse response) {
        return new ReactiveExchange(shared, request, response);
    }

    @Override
    public int getOrder() {
        return order;
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange,
            WebFilterChain chain) {
        return Mono.deferContextual(context -> {
            ReactiveExchange mine = (ReactiveExchange) context
                    .<ReactorExchange>getOrEmpty(ReactorExchange.class)
                    .orElse(null);
            if (mine == null) {
                return Mono.error(new IllegalStateException("idemstore: the "
                        + "application's HttpHandler was not made by "
                        + "WebHttpHandlerBuilder, so no answer can be seen; "
                        + "decorate it with the bean IdempotencyHttpHandler"));
            }
            ServerWebExchange inner = exchange.mutate()
                    .request(new Plain(exchange.getRequest(), mine)).build();
            mine.within(inner);
            return isCovered(exchange, mine) ? covered(mine, inner, chain)
                    : chain.filter(inner);
        });
    }

    private boolean isCovered(ServerWebExchange exchange,
            ReactiveExchange mine) {
        if (paths.isEmpty() || !policy.isCovered(
                exchange.getRequest().getMethod().name(),
                !mine.keys().isEmpty())) {
            return false;
        }
        PathContainer path =
                exchange.getRequest().getPath().pathWithinApplication();
        return paths.stream().anyMatch(one -> one.matches(path));
    }

    private Mono<Void> covered(ReactiveExchange mine,
            ServerWebExchange exchange, WebFilterChain chain) {
        return mine.ask(null).flatMap(this::claim)
                .map(held -> {
                    held.ifPresent(one -> mine.hold(one, null));
                    return chain.filter(exchange)
                            .doOnError(mine::failed)
                            .contextWrite(context -> held.isEmpty() ? context
                                    : context.put(Claim.class,
                                            held.get().claim()));
                })
                .onErrorResume(Refusal.class, refusal -> Mono.just(
                        mine.response().say(refusal.answer())))
                .flatMap(run -> run);
    }

    private Mono<Optional<Held>> claim(HttpAsk ask) {
        return Mono.defer(() -> {
            Key key = Key.of(policy.isScoped() ? ask.storeKey() : ask.key());
            return Mono.fromFuture(() -> claims.acquireAsync(key,
                    policy.acquire().fingerprint(ask.fingerprint())), true)
                    .map(answer -> held(key, answer));
        }).onErrorResume(IdemException.class, why ->
                unavailable.mayPass(why) ? Mono.just(Optional.empty())
                        : Mono.error(new Refusal(HttpProblem.of(why))));
    }

    private Optional<Held> held(Key key, AcquireAnswer answer) {
        if (answer instanceof Acquired acquired) {
            return Optional.of(claims.hold(key, acquired, true));
        }
        throw new Refusal(answer instanceof Replay replay
                ? HttpAnswer.replayed(replay.result())
                : HttpProblem.of(answer));
    }

    /** Nobody within may encode the answer for this client alone. */
    private static final class Plain extends ServerHttpRequestDecorator {
        private final ReactiveExchange exchange;
        private HttpHeaders without;

        Plain(ServerHttpRequest request, ReactiveExchange exchange) {
            super(request);
            this.exchange = exchange;
        }

        @Override
        public HttpHeaders getHeaders() {
            if (!exchange.isHeld()) {
                return super.getHeaders();
            }
            if (without == null) {
                without = new HttpHeaders();
                super.getHeaders().forEach((name, values) -> {
                    if (!"accept-encoding".equalsIgnoreCase(name)) {
                        values.forEach(value -> without.add(name, value));
                    }
                });
            }
            return without;
        }
    }
}
