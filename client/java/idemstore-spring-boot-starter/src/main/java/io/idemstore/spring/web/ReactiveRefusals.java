// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.IdemException;
import io.idemstore.NotRunException;
import io.idemstore.spring.core.ReactorExchange;
import io.idemstore.spring.core.Refusal;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.web.bind.annotation.ControllerAdvice;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;

/** What WebFlux answers where the aspect refuses. */
@ControllerAdvice
@Order(Ordered.HIGHEST_PRECEDENCE)
public final class ReactiveRefusals {

    /** @param exchange makes that the answer is taken to be written */
    @ExceptionHandler({Refusal.class, NotRunException.class,
        IdemException.class})
    public Mono<Void> answer(RuntimeException why,
            ServerWebExchange exchange) {
        HttpAnswer answer = Refusals.answerOf(why);
        if (answer == null) {
            return Mono.error(why);
        }
        return Mono.deferContextual(context -> ((ReactiveExchange) context
                .<ReactorExchange>get(ReactorExchange.class))
                .response().say(answer));
    }
}
