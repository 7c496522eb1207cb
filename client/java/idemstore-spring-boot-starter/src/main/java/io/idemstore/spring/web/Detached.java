// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import java.util.function.BooleanSupplier;
import org.reactivestreams.Subscription;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import reactor.core.Disposable;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.FluxSink;
import reactor.core.publisher.Mono;

/** What goes on to its end after who listened has left. */
final class Detached {
    private Detached() {
    }

    /** @param isHeld asked when the listener leaves: false, it stops */
    static Mono<Void> mono(Mono<Void> work, BooleanSupplier isHeld) {
        return Mono.create(sink -> {
            Disposable running = work.contextWrite(sink.contextView())
                    .subscribe(none -> { }, sink::error, sink::success);
            sink.onCancel(() -> {
                if (!isHeld.getAsBoolean()) {
                    running.dispose();
                }
            });
        });
    }

    static Flux<DataBuffer> flux(Flux<DataBuffer> source) {
        return Flux.create(sink -> {
            Pump pump = new Pump(sink);
            source.contextWrite(sink.contextView()).subscribe(pump);
            sink.onRequest(pump::more);
            sink.onCancel(pump::drain);
        }, FluxSink.OverflowStrategy.BUFFER);
    }

    private static final class Pump extends BaseSubscriber<DataBuffer> {
        private final FluxSink<DataBuffer> to;

        Pump(FluxSink<DataBuffer> to) {
            this.to = to;
        }

        void more(long count) {
            request(count);
        }

        void drain() {
            requestUnbounded();
        }

        @Override
        protected void hookOnSubscribe(Subscription subscription) {
            // asked for by the one who listens
        }

        @Override
        protected void hookOnNext(DataBuffer part) {
            if (to.isCancelled()) {
                DataBufferUtils.release(part);
            } else {
                to.next(part);
            }
        }

        @Override
        protected void hookOnComplete() {
            to.complete();
        }

        @Override
        protected void hookOnError(Throwable why) {
            to.error(why);
        }
    }
}
