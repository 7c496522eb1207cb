// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * What came on a connection: bytes in pieces, out of which whole responses
 * are read. Belongs to the loop's thread.
 */
final class Inbox {
    private static final int KEPT_MAX = 65536;

    private final Unpacker unpacker;
    private byte[] heard = new byte[0];
    private int at;
    private int end;
    private long need = 1;

    /** @param limit of one response, in bytes */
    Inbox(int limit) {
        unpacker = new Unpacker(limit);
    }

    void add(ByteBuffer more) {
        int size = more.remaining();
        if (heard.length - end < size) {
            heard = Arrays.copyOf(heard,
                    Math.max(heard.length * 2, end + size));
        }
        more.get(heard, end, size);
        end += size;
    }

    /** The next response; null: the rest of it is on its way. */
    Object[] next() throws Unpacker.Malformed {
        if (end - at >= need) {
            unpacker.over(heard, at, end);
            try {
                Object[] response = Response.check(unpacker.value());
                need = 1;
                at = unpacker.position();
                return response;
            } catch (Unpacker.More more) {
                // A long one in small pieces is not read anew for each.
                need = more.least;
            }
        }
        System.arraycopy(heard, at, heard, 0, end - at);
        end -= at;
        at = 0;
        if (end == 0 && heard.length > KEPT_MAX) {
            heard = new byte[0];
        }
        return null;
    }
}
