// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * It is recorded as done.
 *
 * @param kept whether the result is stored; one over the server's limit is not
 * @param ttlMs which retention holds; 0 where the server does not say
 */
public record Completed(boolean kept, long ttlMs) implements CompleteAnswer {

    @Override
    public String outcome() {
        return "completed";
    }
}
