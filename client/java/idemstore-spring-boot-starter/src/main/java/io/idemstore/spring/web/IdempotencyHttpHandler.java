// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.spring.core.ReactorExchange;
import org.springframework.http.server.reactive.HttpHandler;
import org.springframework.http.server.reactive.HttpHandlerDecoratorFactory;

/**
 * Around all that WebFlux does with a request, also what it makes of an error
 * after the filters: here an answer is seen as it leaves.
 */
public final class IdempotencyHttpHandler
        implements HttpHandlerDecoratorFactory {
    private final IdempotencyWebFilter filter;

    public IdempotencyHttpHandler(IdempotencyWebFilter filter) {
        this.filter = filter;
    }

    @Override
    public HttpHandler apply(HttpHandler next) {
        return (request, response) -> {
            ReactiveExchange exchange =
                    filter.exchange(request, response);
            return Detached.mono(next.handle(exchange.request(),
                    exchange.response()).contextWrite(context ->
                    context.put(ReactorExchange.class, exchange))
                    .doFinally(how -> exchange.finishWithoutAnswer()),
                    exchange::isHeld);
        };
    }
}
