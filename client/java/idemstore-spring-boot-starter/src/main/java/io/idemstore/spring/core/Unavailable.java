// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.IdemException;
import io.idemstore.spring.IdempotencyCounts;
import io.idemstore.spring.IdempotencyProperties;

/** What happens to a request while the store can't be asked. */
public final class Unavailable {
    private final boolean isOpen;
    private final IdempotencyCounts counts;

    public Unavailable(IdempotencyProperties properties,
            IdempotencyCounts counts) {
        this.isOpen = properties.getHttp().getOnUnavailable()
                == IdempotencyProperties.Unavailable.OPEN;
        this.counts = counts;
    }

    /** Whether the handler runs without a claim; that is counted. */
    public boolean mayPass(IdemException why) {
        if (!isOpen || !why.code().mayPass()) {
            return false;
        }
        counts.passed(why.code().name());
        return true;
    }
}
