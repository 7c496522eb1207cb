// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpProblem;
import io.idemstore.spring.core.Refusal;
import java.io.ByteArrayOutputStream;
import java.util.function.BooleanSupplier;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DefaultDataBufferFactory;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** A request whose body can be read twice, from the moment it is recorded. */
final class RecordedBody extends ServerHttpRequestDecorator {
    private final BooleanSupplier isRecorded;
    private volatile byte[] whole;
    private volatile boolean isBegun;

    RecordedBody(ServerHttpRequest request, BooleanSupplier isRecorded) {
        super(request);
        this.isRecorded = isRecorded;
    }

    /** The body; Refusal where it was read before. */
    Mono<byte[]> record(int bytesMax) {
        return Mono.defer(() -> {
            byte[] made = whole;
            if (made != null) {
                return Mono.just(made);
            }
            if (isBegun) {
                return Mono.error(new Refusal(
                        HttpProblem.UNREADABLE.answer()));
            }
            isBegun = true;
            return ReactiveExchange.joined(super.getBody(), bytesMax)
                    .doOnNext(read -> whole = read);
        });
    }

    @Override
    public Flux<DataBuffer> getBody() {
        return Flux.defer(() -> {
            byte[] made = whole;
            if (made != null) {
                return made.length == 0 ? Flux.empty() : Flux.just(
                        DefaultDataBufferFactory.sharedInstance.wrap(made));
            }
            isBegun = true;
            return isRecorded.getAsBoolean() ? copied() : super.getBody();
        });
    }

    /** What a handler's argument reads is known when it begins. */
    private Flux<DataBuffer> copied() {
        ByteArrayOutputStream copy = new ByteArrayOutputStream(512);
        return super.getBody().doOnNext(part -> {
            byte[] bytes = new byte[part.readableByteCount()];
            int at = part.readPosition();
            part.read(bytes);
            part.readPosition(at);
            copy.write(bytes, 0, bytes.length);
        }).doOnComplete(() -> whole = copy.toByteArray());
    }
}
