// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * Another token holds it, or none: nothing changed.
 *
 * @param state of the record
 */
public record Stale(State state)
        implements CompleteAnswer, ReleaseAnswer, RenewAnswer {

    @Override
    public String outcome() {
        return "stale";
    }
}
