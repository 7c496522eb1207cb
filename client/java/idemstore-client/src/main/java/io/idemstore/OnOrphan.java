// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What an acquire does when the holder's lease is over. */
public enum OnOrphan {
    /** The asker gets the claim, with {@link Previous#ORPHANED}. */
    TAKEOVER,
    /** The asker is told {@link Orphaned}, and nothing changes. */
    REPORT
}
