// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * For a function under once to throw: it failed, and nothing has happened. The
 * claim is released, whatever {@link OnError} says.
 */
public class NothingDoneException extends RuntimeException {
    public NothingDoneException(String message) {
        super(message);
    }

    public NothingDoneException(String message, Throwable cause) {
        super(message, cause);
    }
}
