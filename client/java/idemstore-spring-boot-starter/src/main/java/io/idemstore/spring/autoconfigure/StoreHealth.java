// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.IdemException;
import io.idemstore.IdemStore;
import io.idemstore.StoreStatus;
import io.idemstore.spring.IdempotencyCounts;
import java.util.LinkedHashMap;
import java.util.Map;

/** Whether the store answers, and what was let through without a claim. */
final class StoreHealth {
    private final IdemStore store;
    private final IdempotencyCounts counts;

    StoreHealth(IdemStore store, IdempotencyCounts counts) {
        this.store = store;
        this.counts = counts;
    }

    /** Null: it answers. */
    IdemException trouble() {
        try {
            store.ping();
            return null;
        } catch (IdemException why) {
            return why;
        }
    }

    Map<String, Object> details() {
        Map<String, Object> made = new LinkedHashMap<>();
        StoreStatus status = store.status();
        made.put("primary", status.primary());
        made.put("changesWait", status.changesWait());
        long passed = counts.of(IdempotencyCounts.What.PASSED);
        made.put("letThrough", passed);
        if (passed > 0) {
            made.put("letThroughFor", counts.lastError());
        }
        return made;
    }
}
