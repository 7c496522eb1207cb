// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.HttpKey;
import java.nio.charset.StandardCharsets;

/**
 * A request as it is compared: as it came over the wire.
 *
 * @param key of its header; null where an expression makes it
 * @param principal who is authenticated; null: keys are everybody's
 * @param body raw
 */
public record HttpAsk(String method, String target, String contentType,
        String key, String principal, byte[] body) {

    public String storeKey() {
        return HttpKey.storeKey(key, method, target, principal);
    }

    public byte[] fingerprint() {
        return HttpKey.fingerprint(method, target, contentType, body);
    }

    /**
     * What a request with an expireTime is compared by: its body, or the query
     * of one that has none by its method. Null: it is blank.
     */
    byte[] content() {
        int query = target.indexOf('?');
        byte[] made = "GET".equals(method) || "HEAD".equals(method)
                ? (query < 0 ? "" : target.substring(query + 1))
                        .getBytes(StandardCharsets.UTF_8)
                : body;
        for (byte one : made) {
            if (one != ' ' && one != '\t' && one != '\r' && one != '\n') {
                return made;
            }
        }
        return null;
    }
}
