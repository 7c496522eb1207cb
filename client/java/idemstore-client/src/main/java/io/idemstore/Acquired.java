// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * The claim is yours: go on, then complete or release.
 *
 * @param token the fencing token: store it beside your own row
 * @param attempt 1 for the first claim of this key
 * @param previous how the claim before it ended
 * @param leaseMs for how long others keep away
 * @param nonce what the call was asked with: asking again with it gives the
 *     same claim
 * @param sentNanos {@link System#nanoTime} when the attempt that was answered
 *     went out: the lease did not begin before it
 */
public record Acquired(Token token, long attempt, Previous previous,
        long leaseMs, byte[] nonce, long sentNanos) implements AcquireAnswer {

    @Override
    public String outcome() {
        return "acquired";
    }
}
