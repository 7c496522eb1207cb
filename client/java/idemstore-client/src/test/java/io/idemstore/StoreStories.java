// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Stories that a store over sockets and one in memory tell alike. */
abstract class StoreStories {
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

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static Duration ms(long count) {
        return Duration.ofMillis(count);
    }

    static AcquireOptions lease(long count) {
        return AcquireOptions.defaults().lease(ms(count));
    }

    static AcquireOptions print(String text) {
        return AcquireOptions.defaults().fingerprint(bytes(text));
    }

    Acquired claim(Key key) {
        return assertInstanceOf(Acquired.class, store.acquire(key));
    }

    @Test
    void oneIsGrantedAndTheOthersHearWhatBecameOfIt() {
        AcquireOptions aa = print("aa").lease(ms(20000));
        Acquired first = assertInstanceOf(Acquired.class,
                store.acquire(K, aa));
        assertEquals(1, first.attempt());
        assertEquals(Previous.NONE, first.previous());
        assertEquals(20000, first.leaseMs());
        InProgress other = assertInstanceOf(InProgress.class,
                store.acquire(K, aa));
        assertTrue(other.leaseLeftMs() > 0 && other.leaseLeftMs() <= 20000);
        assertEquals(new Mismatch(State.IN_PROGRESS),
                store.acquire(K, print("bb")));
        assertTrue(assertInstanceOf(Completed.class, store.complete(K,
                first.token(), bytes("paid"))).kept());
        Replay replay = assertInstanceOf(Replay.class, store.acquire(K, aa));
        assertArrayEquals(bytes("paid"), replay.result());
        assertFalse(replay.isError());
    }

    @Test
    void aClaimCanBeRenewedReleasedAndTakenOver() {
        Acquired first = (Acquired) store.acquire(K, lease(60));
        assertEquals(new Renewed(50),
                store.renew(K, first.token(), ms(50)));
        Servers.until(() -> store.peek(K).state() == State.ORPHANED);
        Orphaned seen = assertInstanceOf(Orphaned.class, store.acquire(K,
                AcquireOptions.defaults().onOrphan(OnOrphan.REPORT)));
        assertEquals(1, seen.attempt());
        Acquired second = claim(K);
        assertEquals(2, second.attempt());
        assertEquals(Previous.ORPHANED, second.previous());
        assertTrue(second.token().compareTo(first.token()) > 0);
        assertEquals(new Stale(State.IN_PROGRESS),
                store.complete(K, first.token(), null));
        assertEquals(new Released(), store.release(K, second.token()));
        assertEquals(State.RELEASED, store.peek(K).state());
        Acquired third = claim(K);
        assertEquals(Previous.RELEASED, third.previous());
        assertEquals(new Released(), store.release(K, third.token(), true));
        assertEquals(State.ABSENT, store.peek(K).state());
        assertEquals(new NoRecord(),
                store.complete(K, third.token(), null));
    }

    @Test
    void aWaiterGetsTheAnswerAsItComes() throws Exception {
        Acquired first = claim(K);
        CompletableFuture<AcquireAnswer> waiter = store.acquireAsync(K,
                AcquireOptions.defaults().waitFor(ms(50000)));
        Servers.sleep(100);
        assertFalse(waiter.isDone());
        store.complete(K, first.token(), bytes("done"));
        Replay got = (Replay) waiter.get(60, TimeUnit.SECONDS);
        assertArrayEquals(bytes("done"), got.result());
    }

    @Test
    void anEmptyResultIsAResultAndNoneIsNone() {
        for (byte[] result : new byte[][] {{}, null}) {
            Key key = Key.of("r" + (result == null));
            store.complete(key, claim(key).token(), result);
            assertArrayEquals(result,
                    ((Replay) store.acquire(key)).result());
        }
    }

    @Test
    void aResultOverTheLimitCompletesAndIsNotKept() {
        Completed told = (Completed) store.complete(K, claim(K).token(),
                new byte[(1 << 20) + 1]);
        assertFalse(told.kept());
        assertNull(((Replay) store.acquire(K)).result());
    }

    @Test
    void aResultOfAMebibyteComesBackWhole() {
        byte[] large = new byte[1 << 20];
        for (int i = 0; i < large.length; i++) {
            large[i] = (byte) (i * 31 + i / 256);
        }
        assertTrue(((Completed) store.complete(K, claim(K).token(), large))
                .kept());
        assertArrayEquals(large, ((Replay) store.acquire(K)).result());
    }

    @Test
    void aFailureIsReplayedAsOneAndARetentionCanBeSet() {
        store.complete(K, claim(K).token(), bytes("no"),
                CompleteOptions.defaults().asError().ttl(ms(50000)));
        Replay got = (Replay) store.acquire(K);
        assertTrue(got.isError());
        assertTrue(got.ttlLeftMs() <= 50000);
        Peeked seen = store.peek(K);
        assertEquals("error", seen.resultClass());
        assertEquals(2, seen.resultBytes());
    }

    @Test
    void bytesAreKeysToo() {
        store.acquire(Key.of("schl\u00fcssel"));
        assertInstanceOf(InProgress.class,
                store.acquire(Key.of(bytes("schl\u00fcssel"))));
        claim(Key.of(new byte[] {(byte) 0xFF, 0}));
    }

    @Test
    void aNamespaceOfItsOwn() {
        Key other = Key.of(Servers.namespace(), "k");
        claim(K);
        assertInstanceOf(Acquired.class, store.acquire(other));
        assertInstanceOf(InProgress.class, store.acquire(other));
    }

    @Test
    void theNonceOfAnUnknownOutcomeFindsItsOwnClaim() {
        Acquired first = claim(K);
        Acquired again = assertInstanceOf(Acquired.class, store.acquire(K,
                AcquireOptions.defaults().nonce(first.nonce())));
        assertEquals(first.token(), again.token());
    }

    @Test
    void whatIsNotLegalIsRefusedBeforeAnythingIsSent() {
        List<Runnable> calls = List.of(() -> Key.of(""),
                () -> Key.of("k".repeat(513)),
                () -> Key.of("n".repeat(65), "k"),
                () -> lease(0), () -> lease(86_400_001),
                () -> store.acquire(K, lease(2000).ttl(ms(1000))),
                () -> AcquireOptions.defaults().waitFor(ms(60001)),
                () -> AcquireOptions.defaults().fingerprint(new byte[65]),
                () -> AcquireOptions.defaults().nonce(new byte[0]),
                () -> Token.of(new byte[15]),
                () -> store.renew(K, Token.of(new byte[16]), ms(0)));
        for (Runnable call : calls) {
            IdemException why = assertThrows(IdemException.class, call::run);
            assertEquals(ErrorCode.ARGUMENT, why.code());
            assertTrue(why.isUnchanged());
        }
    }

    @Test
    void threadsShareOneStoreAndEachHearsItsOwnAnswer() throws Exception {
        Queue<String> wrong = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            int me = t;
            threads.add(new Thread(() -> {
                for (int i = 0; i < 200; i++) {
                    Key key = Key.of(me + "-" + i);
                    byte[] result = bytes(key.toString());
                    store.complete(key, claim(key).token(), result);
                    byte[] got = ((Replay) store.acquire(key)).result();
                    if (!java.util.Arrays.equals(result, got)) {
                        wrong.add(key.toString());
                    }
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread one : threads) {
            one.join();
        }
        assertEquals(List.of(), List.copyOf(wrong));
    }

    @Test
    void ofManyOneIsGranted() {
        List<CompletableFuture<AcquireAnswer>> all = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            all.add(store.acquireAsync(K, AcquireOptions.defaults()));
        }
        assertEquals(1, all.stream().map(CompletableFuture::join)
                .filter(Acquired.class::isInstance).count());
    }

    @Test
    void allKeysOrNone() {
        List<Key> ba = List.of(Key.of("b"), Key.of("a"), Key.of("a"));
        AllAnswer.All got = assertInstanceOf(AllAnswer.All.class,
                store.acquireAll(ba, AcquireOptions.defaults()));
        assertEquals("[a, b]", got.claims().keySet().toString());
        AllAnswer.NotAll none = assertInstanceOf(AllAnswer.NotAll.class,
                store.acquireAll(List.of(Key.of("0"), Key.of("b"),
                        Key.of("z")), AcquireOptions.defaults()));
        assertEquals("b", none.key().toString());
        assertEquals(State.RELEASED, store.peek(Key.of("0")).state());
        assertEquals(State.ABSENT, store.peek(Key.of("z")).state());
    }

    @Test
    void allKeysOrNoneWithoutWaiting() {
        claim(Key.of("b"));
        assertInstanceOf(AllAnswer.NotAll.class, store.acquireAllAsync(
                List.of(Key.of("b"), Key.of("a")),
                AcquireOptions.defaults()).join());
        assertEquals(State.RELEASED, store.peek(Key.of("a")).state());
        assertInstanceOf(AllAnswer.All.class, store.acquireAllAsync(
                List.of(Key.of("c"), Key.of("a")),
                AcquireOptions.defaults()).join());
    }

    @Test
    void anInterruptEndsAnAcquireThatWaitsAndNothingElse()
            throws Exception {
        Acquired first = claim(K);
        CompletableFuture<String> told = new CompletableFuture<>();
        Thread waiter = new Thread(() -> {
            try {
                store.acquire(K, AcquireOptions.defaults()
                        .waitFor(ms(60000)));
                told.complete("answered");
            } catch (IdemException why) {
                Completed done = (Completed) store.complete(K,
                        first.token(), bytes("x"));
                told.complete(why.code() + " " + done.kept() + " "
                        + Thread.currentThread().isInterrupted());
            }
        });
        waiter.start();
        Servers.sleep(100);
        waiter.interrupt();
        assertEquals("INTERRUPTED true true",
                told.get(60, TimeUnit.SECONDS));
    }

    @Test
    void aClosedStoreSaysSo() {
        store.ping();
        assertTrue(store.stats() instanceof Map);
        store.close();
        store.close();
        IdemException why = assertThrows(IdemException.class, store::ping);
        assertEquals(ErrorCode.CLOSED, why.code());
    }
}
