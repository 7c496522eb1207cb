// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/**
 * The Idempotency-Key header: which key is in it, under which key the store
 * has it, and what its request asks for. The same in every language.
 */
public final class HttpKey {
    public static final int BYTES_MAX = 255;

    private HttpKey() {
    }

    /**
     * The key in a header: a string of RFC 8941 or bare characters, 1 to 255.
     *
     * @param value the header's; null: the request has none
     * @throws IdemException KEY_MISSING, KEY_MALFORMED
     */
    public static String of(String value) {
        if (value == null) {
            throw new IdemException(ErrorCode.KEY_MISSING,
                    ErrorCode.KEY_MISSING.text());
        }
        String trimmed = trim(value);
        String key = trimmed.startsWith("\"") ? unquoted(trimmed) : trimmed;
        if (key == null || key.isEmpty() || key.length() > BYTES_MAX
                || !isVisible(key, trimmed.startsWith("\""))) {
            throw new IdemException(ErrorCode.KEY_MALFORMED,
                    ErrorCode.KEY_MALFORMED.text());
        }
        return key;
    }

    /** Blanks and tabs around it do not count. */
    static String trim(String value) {
        int from = 0;
        int to = value.length();
        while (from < to && isBlank(value.charAt(from))) {
            from++;
        }
        while (to > from && isBlank(value.charAt(to - 1))) {
            to--;
        }
        return value.substring(from, to);
    }

    private static boolean isBlank(char c) {
        return c == ' ' || c == '\t';
    }

    /** Null: it is not quoted well. */
    private static String unquoted(String text) {
        StringBuilder made = new StringBuilder();
        int last = text.length() - 1;
        for (int i = 1; i < last; i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                i++;
                if (i == last || text.charAt(i) != '"'
                        && text.charAt(i) != '\\') {
                    return null;
                }
                made.append(text.charAt(i));
            } else if (c == '"') {
                return null;
            } else {
                made.append(c);
            }
        }
        return last >= 1 && text.charAt(last) == '"' ? made.toString() : null;
    }

    private static boolean isVisible(String key, boolean quotesToo) {
        return key.chars().allMatch(c -> c >= '!' && c <= '~'
                && (quotesToo || c != '"'));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException never) {
            throw new IllegalStateException("every Java has SHA-256", never);
        }
    }

    /** Of each part behind its length. */
    private static byte[] digest(byte[]... parts) {
        MessageDigest digest = sha256();
        ByteBuffer length = ByteBuffer.allocate(Long.BYTES);
        for (byte[] part : parts) {
            digest.update(length.putLong(0, part.length).array());
            digest.update(part);
        }
        return digest.digest();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void checkRequest(String method, String target) {
        if (method.isEmpty() || target.isEmpty()) {
            throw IdemException.argument(
                    "a request has a method and a target");
        }
    }

    /**
     * The key in the store: the header's, "@", and 22 characters.
     *
     * @param key what {@link #of} made
     * @param target as it came over the wire; its query does not count
     * @param principal who is authenticated; null: the word "none"
     * @throws IdemException ARGUMENT: an empty principal, method or target
     */
    public static String storeKey(String key, String method, String target,
            String principal) {
        checkRequest(method, target);
        if (principal != null && principal.isEmpty()) {
            throw IdemException.argument(
                    "a principal is not empty; null is for anyone");
        }
        if (key.isEmpty() || key.length() > BYTES_MAX
                || !isVisible(key, true)) {
            throw IdemException.argument(
                    "the header's key has 1 to 255 visible characters");
        }
        int query = target.indexOf('?');
        byte[] scope = digest(utf8(method),
                utf8(query < 0 ? target : target.substring(0, query)),
                utf8(principal == null ? "" : principal));
        return key + "@" + Base64.getUrlEncoder().withoutPadding()
                .encodeToString(scope).substring(0, 22);
    }

    /**
     * What the request asks for.
     *
     * @param target with its query
     * @param contentType null: there is none
     * @param body raw: after transfer coding, before content coding
     */
    public static byte[] fingerprint(String method, String target,
            String contentType, byte[] body) {
        checkRequest(method, target);
        return digest(utf8(method), utf8(target), contentTypeOf(contentType),
                body);
    }

    /** Lower case, without parameters. */
    private static byte[] contentTypeOf(String value) {
        if (value == null) {
            return new byte[0];
        }
        int parameters = value.indexOf(';');
        byte[] bytes = trim(parameters < 0 ? value
                : value.substring(0, parameters))
                .getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] >= 'A' && bytes[i] <= 'Z') {
                bytes[i] += 'a' - 'A';
            }
        }
        return bytes;
    }
}
