// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** The form of each frame that a server sends. */
final class Response {
    private Response() {
    }

    /** [1, msgid, error text or nil, result]; anything else is none. */
    static Object[] check(Object value) throws Unpacker.Malformed {
        if (value instanceof Object[] f && f.length == 4
                && f[0] instanceof Long kind && kind == 1
                && f[1] instanceof Long msgid && msgid >= 0
                && (f[2] == null || f[2] instanceof byte[])) {
            return f;
        }
        throw new Unpacker.Malformed("a message that is no response");
    }
}
