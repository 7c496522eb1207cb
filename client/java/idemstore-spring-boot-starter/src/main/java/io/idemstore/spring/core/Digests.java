// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/** SHA-256 over parts, each behind its length: the same in each language. */
final class Digests {
    private Digests() {
    }

    static byte[] of(byte[]... parts) {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException never) {
            throw new IllegalStateException("every Java has SHA-256", never);
        }
        ByteBuffer length = ByteBuffer.allocate(Long.BYTES);
        for (byte[] part : parts) {
            digest.update(length.putLong(0, part.length).array());
            digest.update(part);
        }
        return digest.digest();
    }

    /** The first 22 characters of its base64url. */
    static String word(String... parts) {
        byte[][] bytes = new byte[parts.length][];
        for (int i = 0; i < parts.length; i++) {
            bytes[i] = parts[i].getBytes(StandardCharsets.UTF_8);
        }
        return Base64.getUrlEncoder().withoutPadding()
                .encodeToString(of(bytes)).substring(0, 22);
    }
}
