// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import reactor.core.publisher.Mono;

/** The web request of a reactive pipeline, in its context under this class. */
public interface ReactorExchange {

    /** The request, its body read; or {@link Refusal}. */
    Mono<HttpAsk> ask(Rule rule);

    /** Its handler has begun, whatever is claimed. */
    void began();

    /** The claim that is held for its answer, or null. */
    Held held();

    /** Its answer settles the claim. */
    void hold(Held held, Rule rule);

    /** How its handler failed. */
    void failed(Throwable why);
}
