// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;

/** How what a function under once returns is stored. */
public interface Codec<T> {
    /** Null: no result is stored; a replay returns null. */
    byte[] encode(T value) throws Exception;

    T decode(byte[] stored) throws Exception;

    /** Text, as UTF-8. */
    static Codec<String> text() {
        return Codecs.TEXT;
    }

    /** Bytes as they are. */
    static Codec<byte[]> bytes() {
        return Codecs.BYTES;
    }

    /** Nothing is stored: a replay returns null. */
    static <T> Codec<T> none() {
        return Codecs.none();
    }
}

final class Codecs {
    static final Codec<String> TEXT = new Codec<>() {
        @Override
        public byte[] encode(String value) {
            return value == null ? null
                    : value.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String decode(byte[] stored) {
            return new String(stored, StandardCharsets.UTF_8);
        }
    };
    static final Codec<byte[]> BYTES = new Codec<>() {
        @Override
        public byte[] encode(byte[] value) {
            return value;
        }

        @Override
        public byte[] decode(byte[] stored) {
            return stored;
        }
    };

    private Codecs() {
    }

    static <T> Codec<T> none() {
        return new Codec<>() {
            @Override
            public byte[] encode(T value) {
                return null;
            }

            @Override
            public T decode(byte[] stored) {
                return null;
            }
        };
    }
}
