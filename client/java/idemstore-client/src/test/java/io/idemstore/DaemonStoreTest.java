// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/** The stories against a real daemon with two shards. */
class DaemonStoreTest extends StoreStories {
    @Override
    IdemStore open() {
        return IdemStore.open(Servers.shared().uri(Servers.namespace())
                + "?timeout_ms=60000");
    }

    @Test
    void thereIsAConnectionPerShardAndNoMore() {
        for (int i = 0; i < 50; i++) {
            store.acquire(Key.of("k" + i));
        }
        StoreStatus status = store.status();
        assertEquals(2, status.connections());
        assertEquals(2, status.connects());
        assertEquals(50, status.calls());
        assertEquals(Servers.shared().address(), status.primary());
        assertEquals(1 << 20, store.resultBytesMax());
    }

    @Test
    void closeEndsACallThatWaits() throws Exception {
        claim(K);
        CompletableFuture<ErrorCode> told = new CompletableFuture<>();
        Thread waiter = new Thread(() -> {
            try {
                store.acquire(K, AcquireOptions.defaults()
                        .waitFor(ms(60000)));
            } catch (IdemException why) {
                told.complete(why.code());
            }
        });
        waiter.start();
        CompletableFuture<AcquireAnswer> later = store.acquireAsync(K,
                AcquireOptions.defaults().waitFor(ms(60000)));
        Servers.until(() -> store.stats().get("waiters") > 1);
        store.close();
        assertEquals(ErrorCode.LOST, told.get(60, TimeUnit.SECONDS));
        CompletionException why = Assertions.assertThrows(
                CompletionException.class, later::join);
        assertEquals(ErrorCode.LOST,
                ((IdemException) why.getCause()).code());
    }

    @Test
    void aWaiterThatIsInterruptedHoldsNothing() {
        Acquired first = claim(K);
        Thread waiter = new Thread(() -> {
            try {
                store.acquire(K, AcquireOptions.defaults()
                        .waitFor(ms(60000)));
            } catch (IdemException why) {
                // that is the story
            }
        });
        waiter.start();
        Servers.until(() -> store.stats().get("waiters") > 0);
        waiter.interrupt();
        Servers.until(() -> !waiter.isAlive());
        store.release(K, first.token());
        // Its claim, attempt 2, is given back.
        Servers.until(() -> store.peek(K).attempt() == 2
                && store.peek(K).state() == State.RELEASED);
    }

    @Test
    void moreCallsThanMayBeAreToldLimit() {
        claim(K);
        try (IdemStore small = IdemStore.open(IdemStoreOptions.builder(
                Servers.shared().uri("l")).callsMax(3).build())) {
            small.acquire(K);
            for (int i = 0; i < 3; i++) {
                small.acquireAsync(K, AcquireOptions.defaults()
                        .waitFor(ms(60000)));
            }
            IdemException why = Assertions.assertThrows(IdemException.class,
                    () -> small.acquire(Key.of("other")));
            assertEquals(ErrorCode.LIMIT, why.code());
            assertTrue(why.isRefused());
        }
    }

    @Test
    void manyLargeResultsGoThroughOneConnection() {
        byte[] large = new byte[700_000];
        CompletableFuture<?>[] all = new CompletableFuture<?>[60];
        for (int i = 0; i < all.length; i++) {
            Key key = Key.of("large" + i);
            all[i] = store.acquireAsync(key, AcquireOptions.defaults())
                    .thenCompose(answer -> store.completeAsync(key,
                            ((Acquired) answer).token(), large))
                    .thenCompose(done -> store.acquireAsync(key,
                            AcquireOptions.defaults()))
                    .thenAccept(got -> assertEquals(large.length,
                            ((Replay) got).result().length));
        }
        CompletableFuture.allOf(all).join();
    }

    @Test
    void aRestartedDaemonIsFoundAgain() {
        try (var first = io.idemstore.testing.IdemstoredProcess.start();
                IdemStore one = IdemStore.open(first.uri("r")
                        + "?timeout_ms=60000")) {
            one.acquire(K);
            first.kill();
            try (var second = io.idemstore.testing.IdemstoredProcess
                    .builder().port(first.port()).args("--threads", "3")
                    .start()) {
                for (int i = 0; i < 30; i++) {
                    Assertions.assertInstanceOf(Acquired.class,
                            one.acquire(Key.of("k" + i)), second.address());
                }
                assertEquals(3, one.status().connections());
            }
        }
    }
}
