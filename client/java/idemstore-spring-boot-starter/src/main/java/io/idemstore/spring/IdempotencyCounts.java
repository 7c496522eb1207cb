// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What was asked and how it ended, since the start. For health and meters. */
public final class IdempotencyCounts {
    /** What an asker was told, or how a claim ended. */
    public enum What {
        ACQUIRED, REPLAY, IN_PROGRESS, MISMATCH, ORPHANED, UNAVAILABLE,
        PASSED, COMPLETED, RELEASED, LEFT, LOST, NOT_RECORDED
    }

    private static final Logger LOG =
            LoggerFactory.getLogger(IdempotencyCounts.class);
    private static final long SAY_EACH_NS = 1_000_000_000L;

    private final LongAdder[] counts = new LongAdder[What.values().length];
    private final AtomicLong saidNs = new AtomicLong(
            System.nanoTime() - SAY_EACH_NS);
    private final AtomicLong unsaid = new AtomicLong();
    private volatile String lastError = "";

    public IdempotencyCounts() {
        for (int i = 0; i < counts.length; i++) {
            counts[i] = new LongAdder();
        }
    }

    public void count(What what) {
        counts[what.ordinal()].increment();
    }

    public long of(What what) {
        return counts[what.ordinal()].sum();
    }

    /** A request runs without a claim. Says so, once a second at most. */
    public void passed(String code) {
        count(What.PASSED);
        lastError = code;
        unsaid.incrementAndGet();
        long now = System.nanoTime();
        long said = saidNs.get();
        if (now - said >= SAY_EACH_NS && saidNs.compareAndSet(said, now)) {
            LOG.warn("idemstore can't be asked ({}): {} requests were let "
                    + "through without a claim", code, unsaid.getAndSet(0));
        }
    }

    /** Why the last one was let through, or "". */
    public String lastError() {
        return lastError;
    }

    /** By name in lower case. */
    public Map<String, Long> all() {
        Map<String, Long> made = new TreeMap<>();
        for (What what : What.values()) {
            made.put(what.name().toLowerCase(java.util.Locale.ROOT), of(what));
        }
        return made;
    }
}
