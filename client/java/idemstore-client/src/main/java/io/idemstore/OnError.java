// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What an exception of a function under once does to its claim. */
public enum OnError {
    /** Left: what happened is not known; after its lease it is an orphan. */
    LEAVE,
    /** Given back: it may be tried again. */
    RELEASE,
    /** Stored: others hear {@link FailedBeforeException}. */
    COMPLETE
}
