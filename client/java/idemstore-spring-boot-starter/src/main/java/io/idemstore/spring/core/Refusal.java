// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.HttpAnswer;

/** A request's handler does not run: this is said in its place. */
public final class Refusal extends RuntimeException {
    private final transient HttpAnswer answer;

    public Refusal(HttpAnswer answer) {
        super("answered by idemstore with " + answer.status(), null, false,
                false);
        this.answer = answer;
    }

    public HttpAnswer answer() {
        return answer;
    }
}
