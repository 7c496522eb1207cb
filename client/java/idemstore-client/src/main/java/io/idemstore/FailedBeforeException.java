// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** Under once: it ran before, and its failure is what was stored. */
public final class FailedBeforeException extends NotRunException {
    private final String stored;

    public FailedBeforeException(Replay replay, String stored) {
        super(replay, "it ran before and failed: " + stored);
        this.stored = stored;
    }

    /** What the earlier failure left: "IllegalStateException: no account". */
    public String stored() {
        return stored;
    }
}
