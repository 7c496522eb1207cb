// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** The double tells the same stories, and a few of its own. */
class InMemoryIdemStoreTest extends StoreStories {
    @Override
    IdemStore open() {
        return new InMemoryIdemStore();
    }

    @Test
    void aClockOfTheTestsOwnLetsALeaseEnd() {
        AtomicLong now = new AtomicLong();
        try (InMemoryIdemStore one = new InMemoryIdemStore("",
                now::get)) {
            one.acquire(K, lease(30000));
            now.set(29_999);
            assertInstanceOf(InProgress.class, one.acquire(K));
            now.set(30_000);
            Acquired next = assertInstanceOf(Acquired.class,
                    one.acquire(K));
            assertEquals(Previous.ORPHANED, next.previous());
            one.complete(K, next.token(), null);
            now.addAndGet(AcquireOptions.TTL_MS_DEFAULT);
            assertEquals(State.ABSENT, one.peek(K).state());
        }
    }

    @Test
    void itCanBeAway() {
        InMemoryIdemStore away = (InMemoryIdemStore) store;
        away.failWith(new IdemException(ErrorCode.CONNECT, "away"));
        assertEquals(ErrorCode.CONNECT, assertThrows(IdemException.class,
                () -> store.acquire(K)).code());
        away.failWith(null);
        claim(K);
    }
}
