// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * Someone else holds it.
 *
 * @param leaseLeftMs until the holder's lease ends, unless it is renewed
 * @param attempt the holder's
 * @param ageMs since the holder got it
 */
public record InProgress(long leaseLeftMs, long attempt, long ageMs)
        implements AcquireAnswer {

    @Override
    public String outcome() {
        return "in_progress";
    }
}
