// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.HttpAnswer.Header;
import io.idemstore.HttpProblem;
import io.idemstore.spring.ReactivePrincipal;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.ReactorExchange;
import io.idemstore.spring.core.Refusal;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Rules;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpHeaders;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.reactive.HandlerMapping;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;

/** One request with its answer in WebFlux, also the page of an error. */
final class ReactiveExchange implements ReactorExchange {
    private final WebPolicy policy;
    private final Rules rules;
    private final ReactivePrincipal principal;
    private final int bytesMax;
    private final boolean marksHandlers;
    private final ServerHttpRequest asked;
    private final RecordedBody request;
    private final HeldAnswer response;
    private volatile ServerWebExchange exchange;
    private volatile HttpClaim claim;
    private volatile boolean began;

    ReactiveExchange(Shared shared, ServerHttpRequest request,
            ServerHttpResponse response) {
        this.policy = shared.policy();
        this.rules = shared.rules();
        this.principal = shared.principal();
        this.bytesMax = shared.bytesMax();
        this.marksHandlers = shared.marksHandlers();
        this.asked = request;
        this.request = new RecordedBody(request, this::isRecorded);
        this.response = new HeldAnswer(response, this);
    }

    /** What all exchanges have in common. */
    record Shared(WebPolicy policy, Rules rules, ReactivePrincipal principal,
            int bytesMax, boolean marksHandlers) {
    }

    ServerHttpRequest request() {
        return request;
    }

    HeldAnswer response() {
        return response;
    }

    void within(ServerWebExchange made) {
        exchange = made;
    }

    HttpClaim claim() {
        return claim;
    }

    boolean isOpen() {
        HttpClaim mine = claim;
        return mine != null && !mine.held().isSettled();
    }

    // ------------------------------------------------------------- as asked

    List<String> keys() {
        List<String> made = new ArrayList<>();
        asked.getHeaders().forEach((name, values) -> {
            if (name.equalsIgnoreCase(policy.header())) {
                made.addAll(values);
            }
        });
        return made;
    }

    private String contentType() {
        return asked.getHeaders().getFirst(HttpHeaders.CONTENT_TYPE);
    }

    private String target() {
        String query = asked.getURI().getRawQuery();
        return WebPolicy.originForm(asked.getURI().getRawPath()
                + (query == null ? "" : "?" + query));
    }

    /** Whether its body is to be read twice: its handler is annotated. */
    private boolean isRecorded() {
        Rule rule = rule();
        return rule != null && rule.isHandler() && rule.needsBody();
    }

    private Rule rule() {
        return handler() instanceof HandlerMethod method
                ? rules.of(method.getMethod(), method.getBeanType()) : null;
    }

    private Object handler() {
        ServerWebExchange made = exchange;
        return made == null ? null : made.getAttribute(
                HandlerMapping.BEST_MATCHING_HANDLER_ATTRIBUTE);
    }

    @Override
    public Mono<HttpAsk> ask(Rule rule) {
        return Mono.defer(() -> {
            String key = rule == null || rule.needsHeader()
                    ? WebPolicy.key(keys()) : null;
            boolean needsBody = rule == null || rule.needsBody();
            if (needsBody) {
                WebPolicy.checkMultipart(contentType());
                policy.checkLength(asked.getHeaders().getContentLength());
            }
            Mono<byte[]> body = needsBody ? body()
                    : Mono.just(new byte[0]);
            boolean needsPrincipal = !policy.isForAnyone()
                    && (rule == null ? policy.isScoped()
                    : rule.needsPrincipal());
            Mono<Optional<String>> who = needsPrincipal
                    ? principal.of(exchange).defaultIfEmpty("")
                    .map(found -> Optional.of(policy.principal(found)))
                    : Mono.just(Optional.empty());
            return Mono.zip(body, who).map(both -> new HttpAsk(
                    asked.getMethod().name(), target(), contentType(), key,
                    both.getT2().orElse(null), both.getT1()));
        });
    }

    private Mono<byte[]> body() {
        return request.record(policy.bodyBytesMax())
                .onErrorMap(DataBufferLimitException.class,
                        why -> new Refusal(HttpProblem.TOO_LARGE.answer()));
    }

    // ---------------------------------------------------------- its handler

    @Override
    public void began() {
        began = true;
    }

    @Override
    public Held held() {
        HttpClaim mine = claim;
        return mine == null ? null : mine.held();
    }

    boolean isHeld() {
        return claim != null;
    }

    /**
     * Whether a claim is held, or may be before its stream begins: a Flux
     * claims when it is subscribed to, which is when it is written.
     */
    boolean mayBeOpen() {
        return isOpen() || claim == null && rule() != null;
    }

    @Override
    public void hold(Held held, Rule rule) {
        claim = new HttpClaim(policy, held, rule, bytesMax);
    }

    @Override
    public void failed(Throwable why) {
        HttpClaim mine = claim;
        if (mine != null) {
            mine.failed(why);
        }
    }

    /** A handler that does not tell has begun once it was found. */
    private boolean hasBegun() {
        if (began) {
            return true;
        }
        Object handler = handler();
        if (handler instanceof HandlerMethod method) {
            Class<?> type = method.getMethod().getReturnType();
            boolean isTelling = marksHandlers && Rules.isHandler(
                    method.getMethod(), method.getBeanType())
                    && ReactiveTypes.isReactor(type);
            return !isTelling && rules.of(method.getMethod(),
                    method.getBeanType()) == null;
        }
        return handler != null && !handler.getClass().getName()
                .endsWith(".ResourceWebHandler");
    }

    // -------------------------------------------------------------- its end

    /** Settles it; emits what is to be said in the answer's place. */
    Mono<HttpAnswer> settle(int status, List<Header> headers) {
        return Mono.defer(() -> {
            if (!isOpen()) {
                return Mono.empty();
            }
            HttpClaim mine = claim;
            return Mono.fromFuture(mine.held().settleAsync(mine.settlement(
                    status, headers, hasBegun())), true)
                    .mapNotNull(mine::trouble);
        });
    }

    /** No answer came of it that was seen. */
    void finishWithoutAnswer() {
        if (isOpen()) {
            claim.held().settleAsync(claim.failedWithoutAnswer(hasBegun()));
        }
    }

    static Mono<byte[]> joined(
            org.reactivestreams.Publisher<? extends
            org.springframework.core.io.buffer.DataBuffer> parts, int max) {
        return DataBufferUtils.join(parts, max).map(buffer -> {
            byte[] made = new byte[buffer.readableByteCount()];
            buffer.read(made);
            DataBufferUtils.release(buffer);
            return made;
        }).defaultIfEmpty(new byte[0]);
    }
}
