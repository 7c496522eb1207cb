// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * The same key, another fingerprint.
 *
 * @param state of the record that is there
 */
public record Mismatch(State state) implements AcquireAnswer {

    @Override
    public String outcome() {
        return "mismatch";
    }
}
