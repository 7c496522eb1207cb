// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A call that has ended.
 *
 * @param method "acquire", "complete", ...
 * @param outcome "acquired", "replay", ...; "error" without an answer
 * @param attempt of an acquire: which grant of the key; else 0
 * @param error why there was no answer; else null
 * @param nanos how long it took, all attempts together
 */
public record CallEvent(String method, String outcome, long attempt,
        ErrorCode error, long nanos) {

    /** As attributes of a span: never the key. */
    public Map<String, String> attributes() {
        Map<String, String> made = new LinkedHashMap<>();
        made.put("idemstore.outcome", outcome);
        if (attempt > 0) {
            made.put("idemstore.attempt", Long.toString(attempt));
        }
        if (error != null) {
            made.put("idemstore.error", error.name());
        }
        return made;
    }
}
