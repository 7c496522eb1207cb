// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * A function under once was not run, and there is no result of an earlier run
 * to return. {@link #answer} says why.
 */
public class NotRunException extends RuntimeException {
    private final transient AcquireAnswer answer;

    public NotRunException(AcquireAnswer answer, String message) {
        super(message);
        this.answer = answer;
    }

    /** InProgress, Mismatch or Orphaned; FailedBefore: the Replay. */
    public AcquireAnswer answer() {
        return answer;
    }
}
