// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import io.idemstore.Claim;
import reactor.core.publisher.Mono;

/** The claim in a reactive method; in others it is {@link Claim#current}. */
public final class IdempotentContext {
    private IdempotentContext() {
    }

    /** The claim under which the pipeline works, or empty. */
    public static Mono<Claim> claim() {
        return Mono.deferContextual(context -> Mono.justOrEmpty(
                context.<Claim>getOrEmpty(Claim.class)));
    }
}
