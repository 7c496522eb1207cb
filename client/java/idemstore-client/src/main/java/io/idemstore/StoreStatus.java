// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * How a store stands. Counts are since it was opened.
 *
 * @param primary where its calls go, "" before the first one
 * @param epoch the primary's
 * @param connections that are up
 * @param changesWait changes were last seen to wait for the replica
 * @param calls asked
 * @param repeats attempts after the first ones
 * @param connects connections made
 * @param losses connections lost
 * @param follows how often it went to another primary
 * @param timeouts calls that got no answer
 * @param unreplicated answers that the replica had not confirmed
 * @param failedFast calls that fail_fast_ms ended unsent
 */
public record StoreStatus(String primary, long epoch, int connections,
        boolean changesWait, long calls, long repeats, long connects,
        long losses, long follows, long timeouts, long unreplicated,
        long failedFast) {
}
