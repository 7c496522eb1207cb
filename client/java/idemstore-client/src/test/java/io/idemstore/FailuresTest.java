// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static io.idemstore.Scripted.CLOSE;
import static io.idemstore.Scripted.SILENT;
import static io.idemstore.Scripted.USUAL;
import static io.idemstore.Scripted.granted;
import static io.idemstore.Scripted.hello;
import static io.idemstore.Scripted.only;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.Scripted.Refused;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a store does when a server is late, gone, or says no. */
class FailuresTest {
    private static final Key K = Key.of("k");
    private static final String PATIENT =
            "timeout_ms=60000&connect_timeout_ms=30000";
    private static final Token TOKEN = Token.of(Scripted.TOKEN);
    private final List<IdemStore> opened = new ArrayList<>();

    private IdemStore open(String uri) {
        IdemStore made = IdemStore.open(uri);
        opened.add(made);
        return made;
    }

    @AfterEach
    void end() {
        opened.forEach(IdemStore::close);
    }

    private static IdemException why(Runnable call) {
        return assertThrows(IdemException.class, call::run);
    }

    /**
     * Of a call whose last attempt was answered before its deadline came: that
     * is chance, so it is called again.
     */
    private static IdemException settled(Runnable call) {
        IdemException told = why(call);
        for (int i = 0; i < 4 && told.code() == ErrorCode.TIMEOUT; i++) {
            told = why(call);
        }
        return told;
    }

    private static void is(ErrorCode code, ErrorCode.Assume assume,
            IdemException why) {
        assertEquals(code + " " + assume, why.code() + " " + why.assume(),
                why.getMessage());
    }

    private static AcquireOptions within(long ms) {
        return AcquireOptions.defaults().timeout(Duration.ofMillis(ms));
    }

    private static List<String> nonces(Scripted... servers) {
        List<String> made = new ArrayList<>();
        for (Scripted one : servers) {
            one.of("acquire").forEach(params -> made.add(
                    HexFormat.of().formatHex((byte[]) params[3])));
        }
        return made;
    }

    private static int distinct(List<String> of) {
        return new TreeSet<>(of).size();
    }

    @Test
    void aLostReplyIsAskedAgainWithTheSameNonce() throws Exception {
        try (Scripted server = only("acquire", (m, params, nth) ->
                nth == 1 ? CLOSE : granted(params))) {
            Acquired got = (Acquired) open(server.uri(PATIENT)).acquire(K);
            assertEquals(TOKEN, got.token());
            assertEquals(2, nonces(server).size());
            assertEquals(1, distinct(nonces(server)));
            assertEquals(nonces(server).get(0),
                    HexFormat.of().formatHex(got.nonce()));
        }
    }

    @Test
    void eachCallHasANonceOfItsOwn() throws Exception {
        try (Scripted server = Scripted.granting()) {
            IdemStore store = open(server.uri());
            for (int i = 0; i < 20; i++) {
                store.acquire(K);
            }
            assertEquals(20, distinct(nonces(server)));
        }
    }

    @Test
    void aRepeatedAcquireAsksForTheWaitThatIsLeft() throws Exception {
        try (Scripted server = only("acquire", (m, params, nth) -> {
            if (nth > 1) {
                return granted(params);
            }
            Thread.sleep(300);
            return CLOSE;
        })) {
            open(server.uri()).acquire(K, AcquireOptions.defaults()
                    .waitFor(Duration.ofSeconds(50)));
            List<Long> waits = server.of("acquire").stream().map(params ->
                    (Long) ((Map<?, ?>) params[6]).get("wait_ms")).toList();
            assertTrue(waits.get(0) <= 50000, "" + waits);
            assertTrue(waits.get(1) <= waits.get(0) - 300, "" + waits);
        }
    }

    @Test
    void completeIsAskedAgainWithItsToken() throws Exception {
        try (Scripted server = only("complete", (m, params, nth) ->
                nth < 3 ? CLOSE : List.of("completed", true))) {
            assertTrue(((Completed) open(server.uri()).complete(K, TOKEN,
                    new byte[] {7})).kept());
            List<Object[]> asked = server.of("complete");
            assertEquals(3, asked.size());
            for (Object[] one : asked) {
                assertArrayEquals(Scripted.TOKEN, (byte[]) one[2]);
                assertArrayEquals(new byte[] {7}, (byte[]) one[3]);
            }
        }
    }

    @Test
    void noAnswerBeforeTheDeadlineIsUnknown() throws Exception {
        try (Scripted server = only("acquire", (m, p, n) -> SILENT)) {
            long began = System.nanoTime();
            IdemException why = why(() -> open(server.uri())
                    .acquire(K, within(400)));
            is(ErrorCode.TIMEOUT, ErrorCode.Assume.UNKNOWN, why);
            assertEquals(nonces(server).get(0),
                    HexFormat.of().formatHex(why.nonce()));
            assertTrue(System.nanoTime() - began >= 400_000_000L);
        }
    }

    @Test
    void nobodyListens() throws Exception {
        int port;
        try (ServerSocket one = new ServerSocket(0)) {
            port = one.getLocalPort();
        }
        IdemException why = why(() -> open("idem://127.0.0.1:" + port)
                .acquire(K, within(300)));
        is(ErrorCode.CONNECT, ErrorCode.Assume.UNCHANGED, why);
        assertEquals("127.0.0.1:" + port, why.endpoint());
        assertTrue(why.code().mayPass());
    }

    @ParameterizedTest
    @ValueSource(strings = {"hello", "acquire"})
    void aServerThatClosesIsNotAskedInABusyLoop(String at)
            throws Exception {
        try (Scripted server = only(at, (m, p, n) -> CLOSE)) {
            why(() -> open(server.uri()).acquire(K, within(1500)));
            int count = server.connections();
            assertTrue(count >= 3 && count < 60, "" + count);
        }
    }

    @Test
    void notPrimaryIsFollowedAtOnce() throws Exception {
        try (Scripted primary = Scripted.granting();
                Scripted replica = new Scripted((m, p, n) ->
                        m.equals("acquire") ? new Refused("NOT_PRIMARY "
                        + primary.address()) : USUAL, hello("replica", 5))) {
            IdemStore store = open(replica.uri(PATIENT));
            assertInstanceOf(Acquired.class, store.acquire(K));
            store.acquire(Key.of("l"));
            assertEquals(1, replica.of("acquire").size());
            assertEquals(primary.address(), store.status().primary());
        }
    }

    @Test
    void aReplicaThatHasBecomeThePrimarySaysHelloAgain() throws Exception {
        try (Scripted server = new Scripted((m, params, nth) ->
                m.equals("acquire") ? granted(params)
                : m.equals("hello") && nth > 1 ? hello("primary", 6)
                : USUAL, hello("replica", 5))) {
            IdemStore store = open(server.uri());
            assertInstanceOf(Acquired.class, store.acquire(K));
            Servers.until(() -> store.status().epoch() == 6);
            assertEquals(server.address(), store.status().primary());
            store.acquire(K);
            assertEquals(2, server.of("hello").size());
            assertEquals(1, server.connections());
        }
    }

    @Test
    void whatCameInTimeCountsThoughTheStoresThreadWasHeldUp()
            throws Exception {
        CountDownLatch bothAsked = new CountDownLatch(1);
        try (Scripted server = only("acquire", (m, params, nth) -> {
            bothAsked.await();
            return granted(params);
        })) {
            IdemStore store = IdemStore.open(IdemStoreOptions.builder(
                    server.uri(PATIENT)).executor(Runnable::run).build());
            opened.add(store);
            store.ping();
            long held = Ticks.now() + 3500 * Ticks.MS;
            CompletableFuture<Void> first = store.acquireAsync(K,
                    within(60_000)).thenRun(() -> {
                        while (server.answered("acquire") < 2
                                || Ticks.now() < held) {
                            LockSupport.parkNanos(1_000_000);
                        }
                    });
            CompletableFuture<AcquireAnswer> late = store.acquireAsync(
                    Key.of("late"), within(3000));
            bothAsked.countDown();
            assertInstanceOf(Acquired.class, late.get(60, TimeUnit.SECONDS));
            first.get(60, TimeUnit.SECONDS);
            assertEquals(2, server.of("acquire").size());
        }
    }

    @Test
    void aServerThatNamesItselfIsNotAskedForEver() throws Exception {
        String[] address = {""};
        try (Scripted server = only("acquire", (m, p, n) ->
                new Refused("NOT_PRIMARY " + address[0]))) {
            address[0] = server.address();
            is(ErrorCode.NOT_PRIMARY, ErrorCode.Assume.REFUSED,
                    why(() -> open(server.uri()).acquire(K, within(1500))));
            assertTrue(server.of("acquire").size() < 60);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "h", "h:70000", "h:0"})
    void aPrimaryThatIsNoneIsLookedForAtTheNextHost(String named)
            throws Exception {
        try (Scripted one = only("acquire", (m, p, n) ->
                new Refused("NOT_PRIMARY " + named));
                Scripted two = Scripted.granting()) {
            assertInstanceOf(Acquired.class,
                    open(one.uri(PATIENT, two)).acquire(K));
            assertEquals(1, one.of("acquire").size());
        }
    }

    @Test
    void unreplicatedIsAskedAgainAndThenToldAsUnknown() throws Exception {
        Refused no = new Refused("UNREPLICATED the replica did not confirm");
        try (Scripted server = new Scripted((method, params, nth) ->
                method.equals("renew") ? no : !method.equals("acquire")
                ? USUAL : nth < 3 ? no : granted(params))) {
            IdemStore store = open(server.uri("timeout_ms=1500"));
            assertInstanceOf(Acquired.class, store.acquire(K,
                    within(60000)));
            assertEquals(1, distinct(nonces(server)));
            is(ErrorCode.UNREPLICATED, ErrorCode.Assume.UNKNOWN,
                    settled(() -> store.renew(K, TOKEN, Duration.ofMillis(9))));
            assertTrue(store.status().unreplicated() >= 3);
        }
    }

    @Test
    void shuttingDownMovesOnToTheNextHost() throws Exception {
        try (Scripted down = only("acquire", (m, p, n) ->
                new Refused("SHUTTING_DOWN ask elsewhere"));
                Scripted up = Scripted.granting()) {
            assertInstanceOf(Acquired.class,
                    open(down.uri(PATIENT, up)).acquire(K));
            IdemStore store = open(down.uri());
            is(ErrorCode.SHUTTING_DOWN, ErrorCode.Assume.REFUSED,
                    settled(() -> store.acquire(K, within(1500))));
        }
    }

    @Test
    void aSilentServerIsLeftForTheOther() throws Exception {
        try (Scripted silent = new Scripted((m, p, n) ->
                m.equals("hello") ? USUAL : SILENT);
                Scripted up = Scripted.granting()) {
            assertInstanceOf(Acquired.class,
                    open(silent.uri("connect_timeout_ms=500", up))
                    .acquire(K, within(30000)));
            assertEquals(1, distinct(nonces(silent, up)));
        }
    }

    @Test
    void aWaitIsNoSilence() throws Exception {
        // A thread answers later what others' pings are answered before.
        try (Scripted server = only("acquire", (m, params, n) -> SILENT)) {
            IdemException why = why(() -> open(server.uri(
                    "connect_timeout_ms=500&timeout_ms=500")).acquire(K,
                    AcquireOptions.defaults().waitFor(
                            Duration.ofMillis(2500))));
            assertEquals(ErrorCode.TIMEOUT, why.code());
            assertEquals(1, server.of("acquire").size());
            assertEquals(1, server.connections());
            assertTrue(server.of("ping").size() >= 2);
        }
    }

    @Test
    void deniedAtOneHostTheNextIsTriedOnce() throws Exception {
        Scripted.Handler denied = (m, p, n) ->
                new Refused("DENIED namespace t: \"shop\" may not claim");
        try (Scripted one = only("acquire", denied);
                Scripted two = Scripted.granting();
                Scripted three = only("acquire", denied)) {
            assertInstanceOf(Acquired.class, open(one.uri(PATIENT, two))
                    .acquire(K));
            is(ErrorCode.DENIED, ErrorCode.Assume.REFUSED,
                    why(() -> open(one.uri(PATIENT, three)).acquire(K)));
            assertEquals(2, one.of("acquire").size());
            assertEquals(1, three.of("acquire").size());
        }
    }

    @Test
    void aLimitWithATimeIsAskedAgainAfterIt() throws Exception {
        try (Scripted server = new Scripted((method, params, nth) ->
                method.equals("renew") ? new Refused("LIMIT too many")
                : !method.equals("acquire") ? USUAL : nth == 1
                ? new Refused("LIMIT retry_ms=60 namespace t: rate")
                : granted(params))) {
            IdemStore store = open(server.uri());
            long began = System.nanoTime();
            assertInstanceOf(Acquired.class, store.acquire(K));
            assertTrue(System.nanoTime() - began >= 60_000_000);
            IdemException why = why(() -> store.renew(K, TOKEN,
                    Duration.ofMillis(9)));
            is(ErrorCode.LIMIT, ErrorCode.Assume.REFUSED, why);
            assertEquals(-1, why.retryMs());
        }
    }

    @Test
    void aLowerEpochIsNotBelieved() throws Exception {
        try (Scripted old = new Scripted((m, p, n) ->
                m.equals("acquire") ? granted(p) : USUAL,
                hello("primary", 3));
                Scripted gone = new Scripted((m, p, n) -> n > 1 ? CLOSE
                : m.equals("acquire") ? granted(p) : USUAL,
                hello("primary", 7))) {
            IdemStore store = open(gone.uri(PATIENT, old));
            store.acquire(K);
            assertFalse(why(() -> store.acquire(Key.of("l"), within(900)))
                    .isRefused());
            assertEquals(0, old.of("acquire").size());
        }
    }

    @Test
    void anErrorOfANewerVersionIsUnknown() throws Exception {
        try (Scripted server = only("acquire", (m, p, n) ->
                new Refused("TOO_EARLY of version 9"))) {
            is(ErrorCode.SERVER, ErrorCode.Assume.UNKNOWN,
                    why(() -> open(server.uri()).acquire(K)));
        }
    }

    @Test
    void anAnswerThatIsNoneIsUnknown() throws Exception {
        List<Object> answers = List.of(List.of(), List.of("granted"), 7,
                List.of("acquired", new byte[5], 1, "none", 1),
                List.of("acquired", Scripted.TOKEN, "1", "none", 1),
                List.of("acquired"), List.of("mismatch", "revoked"));
        for (Object told : answers) {
            try (Scripted server = only("acquire", (m, p, n) -> told)) {
                is(ErrorCode.GARBLED, ErrorCode.Assume.UNKNOWN,
                        why(() -> open(server.uri()).acquire(K)));
            }
        }
    }

    @Test
    void failFastWhileChangesWait() throws Exception {
        try (Scripted server = only("acquire", (m, p, n) ->
                new Refused("UNREPLICATED the replica did not confirm"))) {
            IdemStore store = open(server.uri("fail_fast_ms=60000"));
            is(ErrorCode.UNREPLICATED, ErrorCode.Assume.UNKNOWN,
                    why(() -> store.acquire(K)));
            is(ErrorCode.CHANGES_WAIT, ErrorCode.Assume.UNCHANGED,
                    why(() -> store.acquire(K)));
            assertEquals(1, server.of("acquire").size());
            assertEquals(1, store.status().failedFast());
        }
    }

    @ParameterizedTest
    @CsvSource({"485454502f312e3120343030,HTTP",
        "2d4552522075206e6f740d0a,Redis", "15030100020246,idems://"})
    void anotherProgramIsNamed(String answerHex, String words)
            throws Exception {
        try (ServerSocket listener = new ServerSocket(0, 50,
                InetAddress.getByName("127.0.0.1"))) {
            Thread server = new Thread(() -> {
                while (!listener.isClosed()) {
                    try (Socket socket = listener.accept()) {
                        socket.getInputStream().read(new byte[100]);
                        socket.getOutputStream().write(
                                HexFormat.of().parseHex(answerHex));
                    } catch (IOException why) {
                        return;
                    }
                }
            });
            server.setDaemon(true);
            server.start();
            IdemException why = why(() -> open("idem://127.0.0.1:"
                    + listener.getLocalPort() + "?connect_rounds=1")
                    .acquire(K, within(60000)));
            assertEquals(ErrorCode.CONNECT, why.code());
            assertTrue(why.getMessage().contains(words), why.getMessage());
        }
    }

    @Test
    void appendedFieldsAreSkipped() throws Exception {
        Map<String, Object> more = hello("primary", 5);
        more.put("motto", List.of("new"));
        try (Scripted server = new Scripted((m, params, n) -> {
            if (!m.equals("acquire")) {
                return USUAL;
            }
            List<Object> answer = new ArrayList<>((List<?>) granted(params));
            answer.add("more");
            answer.add(Map.of("a", 1));
            return answer;
        }, more)) {
            assertInstanceOf(Acquired.class, open(server.uri()).acquire(K));
        }
    }
}
