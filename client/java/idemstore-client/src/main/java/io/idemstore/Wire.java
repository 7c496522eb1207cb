// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** Requests as bytes, and results as answers. No socket, no clock. */
final class Wire {
    /** What hello and the errors before it need; the rest hello tells. */
    static final int FRAME_BYTES_FIRST = 65536;
    /** A response is a request's largest field and a little more. */
    static final int FRAME_BYTES_MORE = 4096;

    private static final byte[] WAIT_MS = ascii("wait_ms");
    private static final byte[] ON_ORPHAN = ascii("on_orphan");
    private static final byte[] REPORT = ascii("report");
    private static final byte[] CLASS = ascii("class");
    private static final byte[] ERROR = ascii("error");
    private static final byte[] UNBIND = ascii("unbind");

    /** A result that is no answer to its call. */
    static final class Garbled extends Exception {
        Garbled() {
            super(null, null, false, false);
        }
    }

    private Wire() {
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    static String text(byte[] ascii) {
        return new String(ascii, StandardCharsets.ISO_8859_1);
    }

    // ------------------------------------------------------------- requests

    private static Packer head(Packer out, long msgid, byte[] method,
            int params) {
        return out.array(4).number(0).number(msgid).text(method)
                .array(params);
    }

    /** @param shard -1: none is asked for */
    static void hello(Packer out, long msgid, String client, int shard,
            byte[] secret) {
        head(out, msgid, ascii("hello"), 1);
        out.map(1 + (shard >= 0 ? 1 : 0) + (secret != null ? 1 : 0));
        out.text("client").text(client);
        if (shard >= 0) {
            out.text("shard").number(shard);
        }
        if (secret != null) {
            out.text("secret").text(secret);
        }
    }

    /**
     * @param waitMs what is left of an acquire's wait
     * @param trimmed without the result, which the server would skip
     */
    static void request(Packer out, long msgid, Call call, long waitMs,
            boolean trimmed) {
        switch (call.method) {
            case ACQUIRE -> acquire(out, msgid, call, waitMs);
            case COMPLETE -> complete(out, msgid, call, trimmed);
            case RELEASE -> {
                named(out, msgid, call, call.unbind ? 4 : 3)
                        .bin(call.token.raw());
                if (call.unbind) {
                    out.map(1).text(UNBIND).bool(true);
                }
            }
            case RENEW -> named(out, msgid, call, 4).bin(call.token.raw())
                    .number(call.leaseMs);
            case PEEK -> named(out, msgid, call, 2);
            default -> head(out, msgid, call.method.bytes, 0);
        }
    }

    private static Packer named(Packer out, long msgid, Call call,
            int params) {
        return head(out, msgid, call.method.bytes, params).text(call.ns)
                .text(call.key);
    }

    private static void acquire(Packer out, long msgid, Call call,
            long waitMs) {
        boolean report = call.onOrphan == OnOrphan.REPORT;
        int options = (waitMs > 0 ? 1 : 0) + (report ? 1 : 0);
        named(out, msgid, call, options > 0 ? 7 : 6)
                .binOrNil(call.fingerprint).bin(call.nonce)
                .number(call.leaseMs).number(call.ttlMs);
        if (options > 0) {
            out.map(options);
        }
        if (waitMs > 0) {
            out.text(WAIT_MS).number(waitMs);
        }
        if (report) {
            out.text(ON_ORPHAN).text(REPORT);
        }
    }

    private static void complete(Packer out, long msgid, Call call,
            boolean trimmed) {
        byte[] result = trimmed ? null : call.result;
        int params = call.isError ? 6 : call.ttlMs > 0 ? 5
                : result != null ? 4 : 3;
        named(out, msgid, call, params).bin(call.token.raw());
        if (params > 3) {
            out.binOrNil(result);
        }
        if (params > 4) {
            if (call.ttlMs > 0) {
                out.number(call.ttlMs);
            } else {
                out.nil();
            }
        }
        if (params > 5) {
            out.map(1).text(CLASS).text(ERROR);
        }
    }

    // -------------------------------------------------------------- answers

    private static long number(Object value) throws Garbled {
        if (value instanceof Long n && n >= 0) {
            return n;
        }
        throw new Garbled();
    }

    private static long numberOr(Object value, long absent) throws Garbled {
        return value == null ? absent : number(value);
    }

    private static String word(Object value) throws Garbled {
        if (value instanceof byte[] bytes) {
            return text(bytes);
        }
        throw new Garbled();
    }

    /** Of a newer version's nobody here knows what it means. */
    private static State state(Object value) throws Garbled {
        State state = State.of(word(value));
        if (state == null || state == State.ABSENT) {
            throw new Garbled();
        }
        return state;
    }

    /** The answer to that call; fields behind those known are skipped. */
    static Object read(Call call, Object result) throws Garbled {
        try {
            return switch (call.method) {
                case PING -> pong(result);
                case STATS -> stats(result);
                case PEEK -> peeked((Object[]) result);
                case ACQUIRE -> acquired(call, (Object[]) result);
                default -> settled(call.method, (Object[]) result);
            };
        } catch (ArrayIndexOutOfBoundsException | ClassCastException
                | NullPointerException why) {
            throw new Garbled(); // a field is missing, or another thing
        }
    }

    private static String pong(Object result) throws Garbled {
        if (!"pong".equals(word(result))) {
            throw new Garbled();
        }
        return "pong";
    }

    private static Map<String, Long> stats(Object result) throws Garbled {
        Map<String, Long> made = new LinkedHashMap<>();
        for (Map.Entry<?, ?> one : ((Map<?, ?>) result).entrySet()) {
            if (one.getValue() instanceof Map) {
                made.putAll(stats(one.getValue())); // one map has no room
            } else {
                made.put((String) one.getKey(), number(one.getValue()));
            }
        }
        return made;
    }

    private static AcquireAnswer acquired(Call call, Object[] f)
            throws Garbled {
        switch (word(f[0])) {
            case "acquired":
                byte[] token = (byte[]) f[1];
                if (token.length != Token.BYTES) {
                    throw new Garbled();
                }
                return new Acquired(Token.wrap(token), number(f[2]),
                        Previous.of(word(f[3])), number(f[4]), call.nonce,
                        call.sentNs);
            case "replay":
                byte[] kept = (byte[]) f[1];
                return new Replay(kept, word(f[2]).equals("error"),
                        number(f[3]), number(f[4]));
            case "in_progress":
                return new InProgress(number(f[1]), number(f[2]),
                        number(f[3]));
            case "mismatch":
                return new Mismatch(state(f[1]));
            case "orphaned":
                return new Orphaned(number(f[1]), number(f[2]));
            default:
                throw new Garbled();
        }
    }

    private static Answer settled(Call.Method method, Object[] f)
            throws Garbled {
        String outcome = word(f[0]);
        if (outcome.equals("stale")) {
            return new Stale(state(f[1]));
        }
        if (outcome.equals("unknown")) {
            return new NoRecord();
        }
        if (method == Call.Method.COMPLETE && outcome.equals("completed")) {
            return new Completed((Boolean) f[1],
                    f.length > 2 ? numberOr(f[2], 0) : 0);
        }
        if (method == Call.Method.RELEASE && outcome.equals("released")) {
            return new Released();
        }
        if (method == Call.Method.RENEW && outcome.equals("renewed")) {
            return new Renewed(number(f[1]));
        }
        throw new Garbled();
    }

    private static Peeked peeked(Object[] f) throws Garbled {
        if (word(f[0]).equals("absent")) {
            return new Peeked(State.ABSENT, -1, -1, -1, -1, -1, null);
        }
        State state = state(f[0]);
        Map<?, ?> told = (Map<?, ?>) f[1];
        Object named = told.get("class");
        return new Peeked(state, numberOr(told.get("age_ms"), -1),
                numberOr(told.get("attempt"), -1),
                numberOr(told.get("lease_left_ms"), -1),
                numberOr(told.get("ttl_left_ms"), -1),
                numberOr(told.get("result_bytes"), -1),
                named == null ? null : word(named));
    }
}
