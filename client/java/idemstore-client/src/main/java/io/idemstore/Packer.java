// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes MessagePack, each value in its shortest form. Grows. */
final class Packer {
    private byte[] bytes;
    private int size;

    Packer(int capacity) {
        bytes = new byte[capacity];
    }

    byte[] array() {
        return bytes;
    }

    int size() {
        return size;
    }

    byte[] toBytes() {
        return Arrays.copyOf(bytes, size);
    }

    /** Forgets what was written; a buffer that grew too large goes. */
    void clear(int keptMax) {
        size = 0;
        if (bytes.length > keptMax) {
            bytes = new byte[keptMax];
        }
    }

    /** What was written behind that is forgotten. */
    void cut(int at) {
        size = at;
    }

    private int room(int more) {
        if (bytes.length - size < more) {
            bytes = Arrays.copyOf(bytes,
                    Math.max(bytes.length * 2, size + more));
        }
        int at = size;
        size += more;
        return at;
    }

    private void one(int value) {
        int at = room(1);
        bytes[at] = (byte) value;
    }

    private void head(int first, long value, int width) {
        int at = room(1 + width);
        bytes[at] = (byte) first;
        for (int i = width; i > 0; i--) {
            bytes[at + i] = (byte) value;
            value >>>= 8;
        }
    }

    Packer raw(byte[] from) {
        int at = room(from.length);
        System.arraycopy(from, 0, bytes, at, from.length);
        return this;
    }

    Packer nil() {
        one(0xC0);
        return this;
    }

    Packer bool(boolean value) {
        one(value ? 0xC3 : 0xC2);
        return this;
    }

    /** Not negative. */
    Packer number(long value) {
        if (value < 0x80) {
            one((int) value);
        } else if (value < 0x100) {
            head(0xCC, value, 1);
        } else if (value < 0x10000) {
            head(0xCD, value, 2);
        } else if (value < 0x100000000L) {
            head(0xCE, value, 4);
        } else {
            head(0xCF, value, 8);
        }
        return this;
    }

    Packer array(int count) {
        if (count < 16) {
            one(0x90 | count);
        } else {
            head(0xDC, count, 2);
        }
        return this;
    }

    Packer map(int count) {
        one(0x80 | count); // nobody here writes more than 15 pairs
        return this;
    }

    Packer text(byte[] utf8) {
        int length = utf8.length;
        if (length < 32) {
            one(0xA0 | length);
        } else if (length < 0x100) {
            head(0xD9, length, 1);
        } else if (length < 0x10000) {
            head(0xDA, length, 2);
        } else {
            head(0xDB, length, 4);
        }
        return raw(utf8);
    }

    Packer text(String text) {
        return text(text.getBytes(StandardCharsets.UTF_8));
    }

    Packer bin(byte[] value) {
        int length = value.length;
        if (length < 0x100) {
            head(0xC4, length, 1);
        } else if (length < 0x10000) {
            head(0xC5, length, 2);
        } else {
            head(0xC6, length, 4);
        }
        return raw(value);
    }

    /** Null is nil. */
    Packer binOrNil(byte[] value) {
        return value == null ? nil() : bin(value);
    }
}
