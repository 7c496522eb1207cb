// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * What peek shows. What a state has not is -1, or null.
 *
 * @param state {@link State#ABSENT}: all else is -1
 * @param ageMs since it entered its state
 * @param attempt how often it was granted
 * @param leaseLeftMs in progress: until the holder's lease ends
 * @param ttlLeftMs until the record is gone
 * @param resultBytes completed: the result's size; -1 when none is kept
 * @param resultClass completed: "success" or "error"
 */
public record Peeked(State state, long ageMs, long attempt, long leaseLeftMs,
        long ttlLeftMs, long resultBytes, String resultClass) {
}
