// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** How the claim before this one ended. */
public enum Previous {
    /** There was none. */
    NONE,
    /** Its lease ended: its effect may or may not have happened. */
    ORPHANED,
    /** It was given back. */
    RELEASED,
    /** A word of a newer server. */
    OTHER;

    static Previous of(String word) {
        return switch (word) {
            case "none" -> NONE;
            case "orphaned" -> ORPHANED;
            case "released" -> RELEASED;
            default -> OTHER;
        };
    }
}
