// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * With {@link OnOrphan#REPORT}: the holder's lease is over, and whether its
 * work was done is not known.
 *
 * @param ageMs since that lease ended
 * @param attempt the holder's
 */
public record Orphaned(long ageMs, long attempt) implements AcquireAnswer {

    @Override
    public String outcome() {
        return "orphaned";
    }
}
