// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What a server's hello says, checked. */
record Hello(String role, long epoch, int shards, byte[] hashKey,
        int resultBytesMax, int frameBytesMax, int pendingMax) {

    boolean leads() {
        return !role.equals("replica");
    }

    private static long whole(Object value, long standard, long most) {
        return value instanceof Long n && n >= 0 && n <= most ? n : standard;
    }

    /** Null: these are words that this version does not know. */
    static Hello read(Object result) {
        if (!(result instanceof Map<?, ?> told)) {
            return null;
        }
        Map<?, ?> limits = told.get("limits") instanceof Map<?, ?> map
                ? map : Map.of();
        long shards = whole(told.get("shards"), 0, 1024);
        byte[] hashKey = told.get("hash_key") instanceof byte[] key
                && key.length == 16 ? key : null;
        if (shards < 1 || hashKey == null && shards > 1) {
            return null;
        }
        String role = told.get("role") instanceof byte[] word
                ? new String(word, StandardCharsets.US_ASCII) : "primary";
        return new Hello(role, whole(told.get("epoch"), 0, 1L << 53),
                (int) shards, hashKey == null ? new byte[16] : hashKey,
                (int) whole(limits.get("result_bytes_max"), 1 << 20, 1 << 30),
                (int) whole(limits.get("frame_bytes_max"), (1 << 20) + 65536,
                        1 << 30),
                (int) Math.max(whole(limits.get("pending_max"), 1024, 1 << 20),
                        1));
    }
}
