// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** SipHash-2-4, which names the shard that owns a key. */
final class SipHash {
    private final long k0;
    private final long k1;

    /** @param key 16 bytes */
    SipHash(byte[] key) {
        k0 = word(key, 0);
        k1 = word(key, 8);
    }

    private static long word(byte[] from, int at) {
        long value = 0;
        for (int i = 7; i >= 0; i--) {
            value = value << 8 | from[at + i] & 0xFF;
        }
        return value;
    }

    /** Of a byte of the namespace's length, it, and the key; modulo. */
    int owner(byte[] ns, byte[] key, int shards) {
        byte[] text = new byte[1 + ns.length + key.length];
        text[0] = (byte) ns.length;
        System.arraycopy(ns, 0, text, 1, ns.length);
        System.arraycopy(key, 0, text, 1 + ns.length, key.length);
        return (int) Long.remainderUnsigned(of(text), shards);
    }

    /** 64 bits. */
    long of(byte[] text) {
        long v0 = k0 ^ 0x736F6D6570736575L;
        long v1 = k1 ^ 0x646F72616E646F6DL;
        long v2 = k0 ^ 0x6C7967656E657261L;
        long v3 = k1 ^ 0x7465646279746573L;
        int whole = text.length / 8;
        for (int i = 0; i <= whole; i++) {
            long m = i < whole ? word(text, 8 * i) : tail(text);
            v3 ^= m;
            for (int r = 0; r < 2; r++) {
                v0 += v1; v1 = Long.rotateLeft(v1, 13) ^ v0;
                v0 = Long.rotateLeft(v0, 32);
                v2 += v3; v3 = Long.rotateLeft(v3, 16) ^ v2;
                v0 += v3; v3 = Long.rotateLeft(v3, 21) ^ v0;
                v2 += v1; v1 = Long.rotateLeft(v1, 17) ^ v2;
                v2 = Long.rotateLeft(v2, 32);
            }
            v0 ^= m;
        }
        v2 ^= 0xFF;
        for (int r = 0; r < 4; r++) {
            v0 += v1; v1 = Long.rotateLeft(v1, 13) ^ v0;
            v0 = Long.rotateLeft(v0, 32);
            v2 += v3; v3 = Long.rotateLeft(v3, 16) ^ v2;
            v0 += v3; v3 = Long.rotateLeft(v3, 21) ^ v0;
            v2 += v1; v1 = Long.rotateLeft(v1, 17) ^ v2;
            v2 = Long.rotateLeft(v2, 32);
        }
        return v0 ^ v1 ^ v2 ^ v3;
    }

    /** The last bytes, and the length in the highest one. */
    private static long tail(byte[] text) {
        long value = (long) text.length << 56;
        for (int i = text.length & ~7; i < text.length; i++) {
            value |= (text[i] & 0xFFL) << 8 * (i & 7);
        }
        return value;
    }
}
