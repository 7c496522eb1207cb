// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.Locale;

/** How a record stands. */
public enum State {
    /** There is no record; only peek says so. */
    ABSENT,
    IN_PROGRESS,
    /** Its holder's lease is over. */
    ORPHANED,
    COMPLETED,
    RELEASED;

    /** The word on the wire. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Null: a word of a newer server. */
    static State of(String word) {
        return switch (word) {
            case "absent" -> ABSENT;
            case "in_progress" -> IN_PROGRESS;
            case "orphaned" -> ORPHANED;
            case "completed" -> COMPLETED;
            case "released" -> RELEASED;
            default -> null;
        };
    }
}
