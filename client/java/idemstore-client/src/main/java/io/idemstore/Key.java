// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What is claimed: 1 to 512 bytes, in a namespace of 0 to 64. Both are bytes
 * that are compared as bytes; text is UTF-8.
 */
public final class Key implements Comparable<Key> {
    public static final int BYTES_MAX = 512;
    public static final int NAMESPACE_BYTES_MAX = 64;

    private final byte[] namespace;
    private final byte[] bytes;

    private Key(byte[] namespace, byte[] bytes) {
        if (bytes.length < 1 || bytes.length > BYTES_MAX) {
            throw IdemException.argument("a key has 1 to 512 bytes, not "
                    + bytes.length);
        }
        if (namespace != null && namespace.length > NAMESPACE_BYTES_MAX) {
            throw IdemException.argument("a namespace has 0 to 64 bytes, not "
                    + namespace.length);
        }
        this.namespace = namespace;
        this.bytes = bytes;
    }

    /**
     * In the store's own namespace.
     *
     * @throws IdemException ARGUMENT: not 1 to 512 bytes
     */
    public static Key of(String key) {
        return new Key(null, key.getBytes(StandardCharsets.UTF_8));
    }

    /** In the store's own namespace. */
    public static Key of(byte[] key) {
        return new Key(null, key.clone());
    }

    /** In a namespace of its own: "" is one, too. */
    public static Key of(String namespace, String key) {
        return new Key(namespace.getBytes(StandardCharsets.UTF_8),
                key.getBytes(StandardCharsets.UTF_8));
    }

    /** In a namespace of its own, of 0 to 64 bytes. */
    public static Key of(byte[] namespace, byte[] key) {
        return new Key(namespace.clone(), key.clone());
    }

    byte[] raw() {
        return bytes;
    }

    /** Null: the store's own. */
    byte[] rawNamespace() {
        return namespace;
    }

    /** A copy of the key's bytes. */
    public byte[] toBytes() {
        return bytes.clone();
    }

    /** The key as text; the namespace is not shown. */
    @Override
    public String toString() {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** By namespace (the store's own first), then by key, as bytes. */
    @Override
    public int compareTo(Key other) {
        int order = Arrays.compareUnsigned(namespace, other.namespace);
        return order != 0 ? order
                : Arrays.compareUnsigned(bytes, other.bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Key k && Arrays.equals(bytes, k.bytes)
                && Arrays.equals(namespace, k.namespace);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(namespace) + Arrays.hashCode(bytes);
    }
}
