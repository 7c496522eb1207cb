// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** once, and what becomes of a claim in each way that a function may end. */
abstract class OnceStories {
    static final Key K = Key.of("k");
    IdemStore store;

    abstract IdemStore open();

    @BeforeEach
    void begin() {
        store = open();
    }

    @AfterEach
    void end() {
        store.close();
    }

    static OnceOptions lease(long ms) {
        return OnceOptions.defaults().acquire(AcquireOptions.defaults()
                .lease(Duration.ofMillis(ms)));
    }

    private String once(Work<String, RuntimeException> work) {
        return store.once(K, Codec.text(), work);
    }

    private static String fails() throws IOException {
        throw new IOException("no such account");
    }

    private void failing(OnError onError) {
        assertThrows(IOException.class, () -> store.once(K,
                lease(60).onError(onError), Codec.text(),
                OnceStories::fails));
    }

    @Test
    void aFunctionRunsOnceAndEveryoneGetsWhatItReturned() {
        AtomicInteger runs = new AtomicInteger();
        for (int i = 0; i < 3; i++) {
            assertEquals("paid 1", once(() -> "paid "
                    + runs.incrementAndGet()));
        }
    }

    @Test
    void whileItRunsOthersHearSoOrWait() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        CompletableFuture<String> first = CompletableFuture.supplyAsync(
                () -> once(() -> {
                    inside.countDown();
                    await(go);
                    return "7";
                }));
        await(inside);
        NotRunException told = assertThrows(NotRunException.class,
                () -> once(() -> "8"));
        assertTrue(((InProgress) told.answer()).leaseLeftMs() > 0);
        CompletableFuture<String> second = CompletableFuture.supplyAsync(
                () -> store.once(K, OnceOptions.defaults().acquire(
                        AcquireOptions.defaults().waitFor(
                                Duration.ofSeconds(60))),
                        Codec.text(), () -> "8"));
        go.countDown();
        assertEquals("7", first.get(60, TimeUnit.SECONDS));
        assertEquals("7", second.get(60, TimeUnit.SECONDS));
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(60, TimeUnit.SECONDS));
        } catch (InterruptedException why) {
            throw new AssertionError(why);
        }
    }

    @Test
    void anotherFingerprintIsTold() {
        OnceOptions one = OnceOptions.defaults().acquire(
                AcquireOptions.defaults().fingerprint(new byte[] {1}));
        OnceOptions two = OnceOptions.defaults().acquire(
                AcquireOptions.defaults().fingerprint(new byte[] {2}));
        store.once(K, one, Codec.text(), () -> "1");
        assertInstanceOf(Mismatch.class, assertThrows(NotRunException.class,
                () -> store.once(K, two, Codec.text(), () -> "2")).answer());
    }

    @Test
    void anExceptionLeavesTheClaimByDefault() {
        failing(OnError.LEAVE);
        Servers.until(() -> store.peek(K).state() == State.ORPHANED);
        assertEquals("ORPHANED", once(() ->
                Claim.current().previous().name()));
    }

    @Test
    void anExceptionMayRelease() {
        failing(OnError.RELEASE);
        assertEquals("2", once(() -> "2"));
    }

    @Test
    void anExceptionMayBeTheResult() {
        failing(OnError.COMPLETE);
        assertEquals("IOException: no such account",
                assertThrows(FailedBeforeException.class,
                        () -> once(() -> "2")).stored());
    }

    @Test
    void nothingDoneAlwaysReleases() {
        assertThrows(NothingDoneException.class, () -> store.once(K,
                OnceOptions.defaults().onError(OnError.COMPLETE),
                Codec.text(), () -> {
                    throw new NothingDoneException("the bank is closed");
                }));
        assertEquals(State.RELEASED, store.peek(K).state());
    }

    @Test
    void whatWasStoppedOnItsWayLeavesTheClaimWhateverIsAsked() {
        for (OnError onError : OnError.values()) {
            Key key = Key.of(onError.name());
            assertThrows(StackOverflowError.class, () -> store.once(key,
                    OnceOptions.defaults().onError(onError), Codec.text(),
                    () -> {
                        throw new StackOverflowError();
                    }));
            assertEquals(State.IN_PROGRESS, store.peek(key).state());
        }
    }

    @Test
    void whatCanNotBeStoredCompletesAllTheSame() {
        Codec<String> strict = new Codec<>() {
            @Override
            public byte[] encode(String value) throws IOException {
                throw new IOException("not this one");
            }

            @Override
            public String decode(byte[] stored) {
                return "";
            }
        };
        assertThrows(IllegalStateException.class,
                () -> store.once(K, strict, () -> "x"));
        assertEquals(State.COMPLETED, store.peek(K).state());
        assertNull(once(() -> "y"));
    }

    @Test
    void theLeaseIsRenewedWhileItRuns() {
        String lost = store.once(K, lease(3000), Codec.text(), () -> {
            Servers.sleep(4500);
            return String.valueOf(Claim.current().isLost());
        });
        assertEquals("false", lost);
        assertEquals(1, store.peek(K).attempt());
    }

    @Test
    void withoutRenewalAnotherMayTakeOverAndItIsTold() {
        NotRecordedException told = assertThrows(NotRecordedException.class,
                () -> store.once(K, lease(100).renew(false), Codec.text(),
                        () -> {
                            Servers.until(() -> store.acquire(K)
                                    instanceof Acquired);
                            Servers.until(Claim.current()::isLost);
                            return "5";
                        }));
        assertEquals("5", told.value());
        assertTrue(told.isUnknown());
    }

    @Test
    void theClaimIsToBeHadInsideAndNowhereElse() {
        once(() -> {
            assertNotNull(Claim.current().token());
            assertEquals(1, Claim.current().attempt());
            assertTrue(Claim.current().leaseLeftMs() > 0);
            return "";
        });
        assertNull(Claim.current());
    }

    @Test
    void aThreadThatIsInterruptedInsideRecordsAllTheSame() {
        assertEquals("x", once(() -> {
            Thread.currentThread().interrupt();
            return "x";
        }));
        assertTrue(Thread.interrupted());
        assertEquals(State.COMPLETED, store.peek(K).state());
    }

    /** The same for what ends later. */
    @Nested
    class Later {
        private <T> Throwable whyOf(CompletableFuture<T> future) {
            return assertThrows(CompletionException.class, future::join)
                    .getCause();
        }

        private CompletableFuture<String> later(OnError onError,
                CompletableFuture<String> work) {
            return store.onceAsync(K, lease(60).onError(onError),
                    Codec.text(), () -> work);
        }

        @Test
        void itRunsOnce() {
            AtomicInteger runs = new AtomicInteger();
            AtomicReference<Claim> seen = new AtomicReference<>();
            for (int i = 0; i < 3; i++) {
                assertEquals("1", store.onceAsync(K, OnceOptions.defaults(),
                        Codec.text(), () -> {
                            seen.set(Claim.current());
                            return CompletableFuture.supplyAsync(() ->
                                    "" + runs.incrementAndGet());
                        }).join());
            }
            assertFalse(seen.get().isLost());
        }

        @Test
        void aFailureDoesWhatIsAskedFor() {
            CompletableFuture<String> failed =
                    CompletableFuture.failedFuture(new IOException("no"));
            assertInstanceOf(IOException.class,
                    whyOf(later(OnError.RELEASE, failed)));
            assertEquals(State.RELEASED, store.peek(K).state());
            assertInstanceOf(IOException.class,
                    whyOf(later(OnError.COMPLETE, failed)));
            assertInstanceOf(FailedBeforeException.class,
                    whyOf(later(OnError.LEAVE, failed)));
        }

        @Test
        void aSupplierThatThrowsIsAFailure() {
            assertInstanceOf(NothingDoneException.class, whyOf(
                    store.onceAsync(K, OnceOptions.defaults(), Codec.text(),
                            () -> {
                                throw new NothingDoneException("no");
                            })));
            assertEquals(State.RELEASED, store.peek(K).state());
        }

        @Test
        void theLeaseIsRenewedUntilItEnds() {
            CompletableFuture<String> work = new CompletableFuture<>();
            CompletableFuture<String> told = store.onceAsync(K, lease(3000),
                    Codec.text(), () -> work);
            Servers.sleep(4500);
            work.complete("x");
            assertEquals("x", told.join());
            assertEquals(1, store.peek(K).attempt());
        }
    }
}
