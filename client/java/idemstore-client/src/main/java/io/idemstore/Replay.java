// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * It was done before.
 *
 * @param result what complete was given; null when none is kept
 * @param isError whether it was completed as a failure
 * @param ageMs since it was completed
 * @param ttlLeftMs until the record is gone
 */
public record Replay(byte[] result, boolean isError, long ageMs,
        long ttlLeftMs) implements AcquireAnswer {

    @Override
    public String outcome() {
        return "replay";
    }
}
