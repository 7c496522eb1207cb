// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** What a handler returns that can tell when it begins. */
final class ReactiveTypes {
    private ReactiveTypes() {
    }

    static boolean isReactor(Class<?> type) {
        return type == Mono.class || type == Flux.class;
    }
}
