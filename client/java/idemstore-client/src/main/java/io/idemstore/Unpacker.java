// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads MessagePack from the front of some bytes. It believes no count before
 * its bytes are there: at most 64 items a container, 8 containers in each
 * other, and a limit of bytes for a whole message, checked as soon as a header
 * announces more.
 *
 * <p>nil is null, an integer a Long, str and bin a byte[], an array an
 * Object[], a map a Map from String.
 */
final class Unpacker {
    static final int ITEMS_MAX = 64;
    static final int DEPTH_MAX = 8;

    /** Bytes that the wire has no use for. */
    static final class Malformed extends Exception {
        Malformed(String message) {
            super(message, null, false, false);
        }
    }

    /** The message is not whole yet; it has so many bytes at least. */
    static final class More extends Exception {
        final long least;

        More(long least) {
            super(null, null, false, false);
            this.least = least;
        }
    }

    private byte[] data;
    private int at;
    private int end;
    private int start;
    private final int limit;

    Unpacker(int limit) {
        this.limit = limit;
    }

    /** Over bytes that stand still until the value is read. */
    void over(byte[] bytes, int from, int to) {
        data = bytes;
        start = from;
        at = from;
        end = to;
    }

    /** Where the next value begins. */
    int position() {
        return at;
    }

    private int take(long size) throws Malformed, More {
        long until = at + size;
        if (until - start > limit) {
            throw new Malformed("a message over the limit of " + limit
                    + " bytes");
        }
        if (until > end) {
            throw new More(until - start);
        }
        int from = at;
        at = (int) until;
        return from;
    }

    private long unsigned(int width) throws Malformed, More {
        int from = take(width);
        long value = 0;
        for (int i = 0; i < width; i++) {
            value = value << 8 | data[from + i] & 0xFF;
        }
        return value;
    }

    private long signed(int width) throws Malformed, More {
        int shift = 64 - 8 * width;
        return unsigned(width) << shift >> shift;
    }

    private byte[] bytes(long size) throws Malformed, More {
        int from = take(size);
        return Arrays.copyOfRange(data, from, at);
    }

    Object value() throws Malformed, More {
        return value(0);
    }

    private Object value(int depth) throws Malformed, More {
        int first = data(take(1));
        if (first < 0x80) {
            return (long) first;
        }
        if (first >= 0xE0) {
            return (long) first - 0x100;
        }
        if (first < 0x90) {
            return map(first & 15, depth);
        }
        if (first < 0xA0) {
            return array(first & 15, depth);
        }
        if (first < 0xC0) {
            return bytes(first & 31);
        }
        return wide(first, depth);
    }

    private int data(int index) {
        return data[index] & 0xFF;
    }

    private Object wide(int first, int depth) throws Malformed, More {
        return switch (first) {
            case 0xC0 -> null;
            case 0xC2 -> Boolean.FALSE;
            case 0xC3 -> Boolean.TRUE;
            case 0xC4, 0xD9 -> bytes(unsigned(1));
            case 0xC5, 0xDA -> bytes(unsigned(2));
            case 0xC6, 0xDB -> bytes(unsigned(4));
            case 0xCA -> (double) Float.intBitsToFloat((int) unsigned(4));
            case 0xCB -> Double.longBitsToDouble(unsigned(8));
            case 0xCC -> unsigned(1);
            case 0xCD -> unsigned(2);
            case 0xCE -> unsigned(4);
            case 0xCF -> large(unsigned(8));
            case 0xD0 -> signed(1);
            case 0xD1 -> signed(2);
            case 0xD2 -> signed(4);
            case 0xD3 -> signed(8);
            case 0xDC -> array(unsigned(2), depth);
            case 0xDD -> array(unsigned(4), depth);
            case 0xDE -> map(unsigned(2), depth);
            case 0xDF -> map(unsigned(4), depth);
            default -> throw new Malformed("an ext type or the byte 0xc1");
        };
    }

    /** Beyond a Long there is nothing that counts as a number here. */
    private static Object large(long value) {
        return value >= 0 ? (Object) value : (Object) Double.MAX_VALUE;
    }

    private static void check(long count, int depth) throws Malformed {
        if (count > ITEMS_MAX || depth >= DEPTH_MAX) {
            throw new Malformed("a container over the limits of the wire");
        }
    }

    private Object[] array(long count, int depth) throws Malformed, More {
        check(count, depth);
        Object[] made = new Object[(int) count];
        for (int i = 0; i < made.length; i++) {
            made[i] = value(depth + 1);
        }
        return made;
    }

    private Map<String, Object> map(long count, int depth)
            throws Malformed, More {
        check(count, depth);
        Map<String, Object> made = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            if (!(value(depth + 1) instanceof byte[] name)) {
                throw new Malformed("a map key that is no text");
            }
            made.put(new String(name, StandardCharsets.UTF_8),
                    value(depth + 1));
        }
        return made;
    }
}
