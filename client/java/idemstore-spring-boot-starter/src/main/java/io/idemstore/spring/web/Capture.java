// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import java.io.ByteArrayOutputStream;

/** An answer's body as it goes by, up to what the store keeps. */
final class Capture {
    private final int bytesMax;
    private ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);

    Capture(int bytesMax) {
        this.bytesMax = bytesMax;
    }

    void add(byte[] part, int from, int length) {
        if (bytes == null) {
            return;
        }
        if ((long) bytes.size() + length > bytesMax) {
            bytes = null;
        } else {
            bytes.write(part, from, length);
        }
    }

    /** It has no end to wait for, or is none that is kept. */
    void drop() {
        bytes = null;
    }

    void clear() {
        bytes = new ByteArrayOutputStream(512);
    }

    /** Null: it is not kept. */
    byte[] body() {
        return bytes == null ? null : bytes.toByteArray();
    }
}
