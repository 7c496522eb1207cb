// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

/**
 * A listener's message is for the dead letters: its key was used for another
 * one, or an earlier delivery's failure is on record.
 */
public final class DeadLetterException extends RuntimeException {
    public DeadLetterException(Throwable cause) {
        super(cause.getMessage(), cause);
    }
}
