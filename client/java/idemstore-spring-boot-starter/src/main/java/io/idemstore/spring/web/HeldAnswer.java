// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.HttpAnswer.Header;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.reactivestreams.Publisher;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.http.server.reactive.ServerHttpResponseDecorator;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * An answer whose end leaves after the claim is settled. What is one value is
 * held until then; a stream goes by as it comes. A client that is gone stops
 * neither.
 */
final class HeldAnswer extends ServerHttpResponseDecorator {
    private final ReactiveExchange exchange;

    HeldAnswer(ServerHttpResponse response, ReactiveExchange exchange) {
        super(response);
        this.exchange = exchange;
    }

    private int status() {
        HttpStatusCode code = getStatusCode();
        return code == null ? 200 : code.value();
    }

    private List<Header> headers() {
        List<Header> made = new ArrayList<>();
        getHeaders().forEach((name, values) -> values.forEach(
                value -> made.add(new Header(name, value))));
        return made;
    }

    private String contentType() {
        return getHeaders().getFirst(HttpHeaders.CONTENT_TYPE);
    }

    private boolean isFree() {
        return !exchange.isOpen() || isCommitted();
    }

    private boolean isFreeStream() {
        return !exchange.mayBeOpen() || isCommitted();
    }

    @Override
    public Mono<Void> setComplete() {
        return Mono.defer(() -> isFree() ? super.setComplete()
                : ended().switchIfEmpty(Mono.defer(super::setComplete)
                .then(Mono.empty())).flatMap(this::say));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Mono<Void> writeWith(Publisher<? extends DataBuffer> body) {
        return Mono.defer(() -> {
            if (body instanceof Mono<?> one) {
                return isFree() ? super.writeWith(body)
                        : whole((Mono<DataBuffer>) one);
            }
            return super.writeWith(isFreeStream() ? body
                    : streamed(Flux.from(body)));
        });
    }

    @Override
    public Mono<Void> writeAndFlushWith(
            Publisher<? extends Publisher<? extends DataBuffer>> body) {
        return Mono.defer(() -> {
            if (isFreeStream()) {
                return super.writeAndFlushWith(body);
            }
            if (WebPolicy.isEventStream(contentType())) {
                return events(body);
            }
            return super.writeAndFlushWith(streamed(Flux.from(body)
                    .concatMap(part -> Flux.<DataBuffer>from(part)))
                    .map(Mono::just));
        });
    }

    /** It has no end to wait for, and its client's leaving ends it. */
    private Mono<Void> events(
            Publisher<? extends Publisher<? extends DataBuffer>> body) {
        List<Header> headers = headers();
        int status = status();
        Mono<Void> end = Mono.defer(() -> {
            if (!exchange.isOpen()) {
                return Mono.empty();
            }
            exchange.claim().capture().drop();
            return exchange.settle(status, headers).then();
        });
        return super.writeAndFlushWith(Flux.from(body)).then(end)
                .onErrorResume(why -> end.then(Mono.error(why)))
                .doOnCancel(end::subscribe);
    }

    private Mono<Void> whole(Mono<DataBuffer> body) {
        return body.map(buffer -> {
            capture(buffer);
            return Flux.just(buffer);
        }).defaultIfEmpty(Flux.empty()).flatMap(parts -> ended()
                .map(trouble -> say(trouble).doFirst(() -> parts.subscribe(
                        DataBufferUtils.releaseConsumer())))
                .defaultIfEmpty(Mono.defer(() -> super.writeWith(parts)))
                .flatMap(sending -> sending));
    }

    private Mono<HttpAnswer> ended() {
        return exchange.settle(status(), headers());
    }

    private void capture(DataBuffer buffer) {
        if (!exchange.isOpen()) {
            return; // it runs without a claim
        }
        byte[] bytes = new byte[buffer.readableByteCount()];
        int at = buffer.readPosition();
        buffer.read(bytes);
        buffer.readPosition(at);
        exchange.claim().capture().add(bytes, 0, bytes.length);
    }

    /** Its source is read to its end, whoever still listens. */
    private Flux<DataBuffer> streamed(Flux<? extends DataBuffer> source) {
        List<Header> headers = headers(); // they go once they are sent
        int status = status();
        Flux<DataBuffer> parts = Flux.<DataBuffer>from(source)
                .doOnNext(this::capture)
                .concatWith(exchange.settle(status, headers)
                        .flatMap(trouble -> Mono.error(new IOException(
                                "an answer ends without its end: its claim "
                                + "was lost while it was sent"))));
        return Detached.flux(parts);
    }

    /** An answer that is none of a handler's. */
    Mono<Void> say(HttpAnswer answer) {
        return Mono.defer(() -> {
            HttpHeaders headers = getHeaders();
            headers.clear();
            setStatusCode(HttpStatusCode.valueOf(answer.status()));
            answer.headers().forEach(
                    one -> headers.add(one.name(), one.value()));
            byte[] body = answer.body() == null ? new byte[0]
                    : answer.body();
            if (answer.status() == 204 || answer.status() == 304) {
                return super.setComplete();
            }
            headers.setContentLength(body.length);
            return super.writeWith(Mono.just(bufferFactory().wrap(body)));
        });
    }
}
