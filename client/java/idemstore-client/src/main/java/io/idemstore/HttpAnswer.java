// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * An HTTP answer that every language can replay: docs/http.md, held to
 * proto/vectors. How it is packed and read, and what becomes of its claim.
 * Keys and fingerprints: {@link HttpKey}. What others hear:
 * {@link HttpProblem}.
 *
 * @param status 200 to 599
 * @param headers in order
 * @param body null: it was not kept
 */
public record HttpAnswer(int status, List<Header> headers, byte[] body) {
    public static final int HEADERS_MAX = 64;
    public static final int NAME_BYTES_MAX = 128;
    public static final int VALUE_BYTES_MAX = 8192;

    private static final Set<String> KEPT = Set.of("content-type",
            "content-language", "content-encoding", "location", "etag",
            "retry-after");
    private static final Set<Integer> NEVER_STORED =
            Set.of(401, 407, 408, 413, 415, 421, 425, 429, 431);
    private static final String TOKEN_CHARS = "!#$%&'*+-.^_`|~";

    /**
     * A header's name and value. Each character is a byte (ISO 8859-1), as
     * HTTP has it.
     */
    public record Header(String name, String value) {
    }

    /** Where an answer comes from, which is a part of what it means. */
    public enum Origin {
        /** The handler had begun. */
        HANDLER,
        /** Filters in front, argument binding, validation: it never began. */
        BEFORE,
        /** The handler says itself that nothing happened. */
        RETRYABLE,
        /** A gateway's backend refused the connection. */
        UNSENT,
        /** A gateway lost its backend after the request was sent. */
        LOST
    }

    /** What becomes of the claim. */
    public enum Fate {
        /** Completed with the packed answer. */
        STORE,
        /** Released with unbind. */
        RELEASE,
        /** Neither: the lease ends it. */
        LEAVE
    }

    /**
     * What becomes of a claim whose request was answered so.
     *
     * @param onError what an answer of 5xx does; STORE by default
     */
    public static Fate fate(int status, Origin origin, Fate onError) {
        if (origin == Origin.LOST) {
            return Fate.LEAVE;
        }
        if (origin != Origin.HANDLER || NEVER_STORED.contains(status)) {
            return Fate.RELEASE;
        }
        if (status >= 500 && status <= 599) {
            return onError;
        }
        return status >= 200 && status <= 499 ? Fate.STORE : Fate.LEAVE;
    }

    /**
     * The result to complete with.
     *
     * @param headers the handler's; of them those are stored that may be
     * @param body null: not kept
     * @param keep further names of headers to store, in any case
     * @param resultBytesMax where the whole is longer, the body is left out;
     *     where that does not suffice, the headers too
     * @throws IdemException ARGUMENT: a status that is not 200 to 599
     */
    public static byte[] pack(int status, List<Header> headers, byte[] body,
            Collection<String> keep, int resultBytesMax) {
        if (status < 200 || status > 599) {
            throw IdemException.argument("an answer's status is 200 to 599, "
                    + "not " + status);
        }
        List<Header> kept = kept(headers, keep);
        byte[] packed = packed(status, kept, body);
        if (packed.length > resultBytesMax) {
            packed = packed(status, kept, null);
        }
        return packed.length <= resultBytesMax ? packed
                : packed(status, List.of(), null);
    }

    private static List<Header> kept(List<Header> headers,
            Collection<String> keep) {
        Set<String> asked = keep.stream().map(HttpAnswer::lower)
                .collect(Collectors.toSet());
        List<Header> kept = new ArrayList<>();
        for (Header one : headers) {
            String name = lower(one.name());
            String value = HttpKey.trim(one.value());
            if ((KEPT.contains(name) || asked.contains(name))
                    && kept.size() < HEADERS_MAX && isToken(name)
                    && isValue(value)) {
                kept.add(new Header(name, value));
            }
        }
        return kept;
    }

    private static byte[] packed(int status, List<Header> headers,
            byte[] body) {
        Packer out = new Packer(256 + (body == null ? 0 : body.length));
        out.array(4).number(1).number(status).array(headers.size());
        for (Header one : headers) {
            byte[] value = one.value().getBytes(StandardCharsets.ISO_8859_1);
            out.array(2).text(one.name());
            if (one.value().chars().allMatch(c -> c < 0x80)) {
                out.text(value);
            } else {
                out.bin(value);
            }
        }
        return out.binOrNil(body).toBytes();
    }

    /**
     * Reads a result.
     *
     * @param result null is no answer either
     * @throws IdemException NOT_HTTP: it is no such answer; the request was
     *     carried out, and that is all that is known
     */
    public static HttpAnswer unpack(byte[] result) {
        HttpAnswer read = result == null ? null : read(result);
        if (read == null) {
            throw new IdemException(ErrorCode.NOT_HTTP,
                    ErrorCode.NOT_HTTP.text());
        }
        return read;
    }

    private static HttpAnswer read(byte[] result) {
        Unpacker from = new Unpacker(Integer.MAX_VALUE);
        from.over(result, 0, result.length);
        Object value;
        try {
            value = from.value();
        } catch (Unpacker.Malformed | Unpacker.More why) {
            return null;
        }
        if (from.position() != result.length
                || !(value instanceof Object[] f) || f.length != 4
                || !Long.valueOf(1).equals(f[0])
                || !(f[1] instanceof Long status) || status < 200
                || status > 599 || !(f[2] instanceof Object[] pairs)
                || pairs.length > HEADERS_MAX
                || !(f[3] == null || f[3] instanceof byte[])) {
            return null;
        }
        List<Header> headers = new ArrayList<>();
        for (Object pair : pairs) {
            Header one = readHeader(pair);
            if (one == null) {
                return null;
            }
            headers.add(one);
        }
        return new HttpAnswer(status.intValue(), headers, (byte[]) f[3]);
    }

    private static Header readHeader(Object pair) {
        if (!(pair instanceof Object[] f) || f.length != 2
                || !(f[0] instanceof byte[] name)
                || !(f[1] instanceof byte[] value)) {
            return null;
        }
        Header made = new Header(
                new String(name, StandardCharsets.ISO_8859_1),
                new String(value, StandardCharsets.ISO_8859_1));
        return isToken(made.name()) && made.name().equals(lower(made.name()))
                && isValue(made.value()) ? made : null;
    }

    /**
     * A stored answer as it is sent again, with Idempotency-Replayed. What is
     * no answer is a 500 that says so.
     */
    public static HttpAnswer replayed(byte[] result) {
        HttpAnswer stored = result == null ? null : read(result);
        if (stored == null) {
            return HttpProblem.NOT_HTTP.answer();
        }
        List<Header> headers = new ArrayList<>(stored.headers);
        headers.add(new Header("idempotency-replayed",
                stored.body == null ? "true; body=dropped" : "true"));
        return new HttpAnswer(stored.status, headers,
                stored.body == null ? new byte[0] : stored.body);
    }

    /** The first value of that header, in any case, or null. */
    public String header(String name) {
        return headers.stream()
                .filter(one -> one.name().equalsIgnoreCase(name))
                .map(Header::value).findFirst().orElse(null);
    }

    static String lower(String name) {
        return name.toLowerCase(Locale.ROOT);
    }

    private static boolean isToken(String name) {
        return !name.isEmpty() && name.length() <= NAME_BYTES_MAX
                && name.chars().allMatch(c -> c >= '0' && c <= '9'
                || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
                || TOKEN_CHARS.indexOf(c) >= 0);
    }

    private static boolean isValue(String value) {
        return value.length() <= VALUE_BYTES_MAX && value.chars().allMatch(
                c -> c == '\t' || c >= 0x20 && c <= 0xFF && c != 0x7F);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof HttpAnswer a && status == a.status
                && headers.equals(a.headers) && Arrays.equals(body, a.body);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * status + headers.hashCode())
                + Arrays.hashCode(body);
    }
}
