// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * Under once: the function has run, and that is not surely recorded. After
 * the lease another asker may be told to go ahead, with
 * {@link Previous#ORPHANED}.
 */
public final class NotRecordedException extends IdemException {
    private final transient Object value;

    public NotRecordedException(Object value, String message,
            Throwable cause) {
        super(ErrorCode.NOT_RECORDED, message, cause);
        this.value = value;
    }

    /** What the function returned. */
    public Object value() {
        return value;
    }
}
