// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.Arrays;
import java.util.HexFormat;

/**
 * A fencing token: 16 bytes. Tokens of one key only grow, and compare as
 * bytes, so that one can be stored beside what it protects.
 */
public final class Token implements Comparable<Token> {
    public static final int BYTES = 16;

    private final byte[] bytes;

    private Token(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * @param bytes 16 of them; copied
     * @throws IdemException ARGUMENT
     */
    public static Token of(byte[] bytes) {
        if (bytes.length != BYTES) {
            throw IdemException.argument("a token has 16 bytes, not "
                    + bytes.length);
        }
        return new Token(bytes.clone());
    }

    /** Not copied. */
    static Token wrap(byte[] bytes) {
        return new Token(bytes);
    }

    byte[] raw() {
        return bytes;
    }

    /** A copy of the 16 bytes. */
    public byte[] toBytes() {
        return bytes.clone();
    }

    /** 32 hex digits. */
    @Override
    public String toString() {
        return HexFormat.of().formatHex(bytes);
    }

    @Override
    public int compareTo(Token other) {
        return Arrays.compareUnsigned(bytes, other.bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Token t && Arrays.equals(bytes, t.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }
}
