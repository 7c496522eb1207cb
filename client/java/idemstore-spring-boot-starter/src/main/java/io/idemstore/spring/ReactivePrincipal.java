// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;

/** Who is authenticated: one user's key never shows another one's answer. */
@FunctionalInterface
public interface ReactivePrincipal {

    /** Empty: nobody is, and the request is refused with 401. */
    Mono<String> of(ServerWebExchange exchange);
}
