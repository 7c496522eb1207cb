// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What a renew is answered. */
public sealed interface RenewAnswer extends Answer
        permits Renewed, Stale, NoRecord {
}
