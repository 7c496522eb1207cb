// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.Acquired;
import io.idemstore.HttpKey;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import io.idemstore.State;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.WebApplicationType;

/** docs/http.md in Tomcat: what is stored, what is not, what others hear. */
class ServletHttpTest {
    private static TestApp app;
    private String key;

    @BeforeAll
    static void start() {
        app = TestApp.start(ServletShop.class, WebApplicationType.SERVLET,
                "idemstore.http.paths=/f/**",
                "idemstore.http.body-bytes-max=200000");
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    @BeforeEach
    void fresh() {
        ServletShop.RUNS.clear();
        ServletShop.go = new CountDownLatch(0);
        key = UUID.randomUUID().toString();
    }

    private static String order(String id) {
        return "{\"id\":\"" + id + "\",\"amount\":5}";
    }

    private HttpResponse<String> odd(String where, String what) {
        return app.post(where + "/odd/" + what, key, "");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void theSecondClickHearsTheFirstAnswer(String where) {
        HttpResponse<String> first =
                app.post(where + "/pay", key, order("o"));
        HttpResponse<String> again =
                app.post(where + "/pay", key, order("o"));
        assertEquals(201, first.statusCode(), first.body());
        assertEquals(201, again.statusCode());
        assertEquals(first.body(), again.body());
        assertEquals("true", TestApp.header(again, "Idempotency-Replayed"));
        assertFalse(TestApp.isReplay(first));
        assertEquals("/1", TestApp.header(again, "Location"));
        assertEquals(TestApp.header(first, "Content-Type"),
                TestApp.header(again, "Content-Type"));
        assertEquals("a=1", TestApp.header(first, "Set-Cookie"));
        assertNull(TestApp.header(again, "Set-Cookie"));
        assertNull(TestApp.header(again, "X-Own"));
        assertEquals(1, ServletShop.runs("o"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void ofManyAtOnceOneRuns(String where) {
        ServletShop.go = new CountDownLatch(1);
        List<CompletableFuture<HttpResponse<String>>> all =
                new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            all.add(TestApp.sendLater(
                    app.posting(where + "/slow", key, order("o"))));
        }
        TestApp.until(() -> all.stream()
                .filter(CompletableFuture::isDone).count() == 4);
        ServletShop.go.countDown();
        int refused = 0;
        for (CompletableFuture<HttpResponse<String>> one : all) {
            HttpResponse<String> told = one.join();
            if (told.statusCode() == 409) {
                refused++;
                assertEquals("application/problem+json",
                        TestApp.header(told, "Content-Type"));
                int after = Integer.parseInt(
                        TestApp.header(told, "Retry-After"));
                assertTrue(after >= 1 && after <= 30);
            }
        }
        assertEquals(4, refused);
        assertEquals(1, ServletShop.runs("o"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void anotherRequestUnderTheKeyIs422(String where) {
        app.post(where + "/pay", key, order("a"));
        assertEquals(422,
                app.post(where + "/pay", key, order("b")).statusCode());
        assertEquals(422,
                app.post(where + "/pay?x=1", key, order("a")).statusCode());
        assertEquals(422, app.post(where + "/pay", key, order("a"),
                "Content-Type", "application/x+json").statusCode());
        assertEquals(201, app.post(where + "/pay", key, order("a"),
                "Content-Type", "Application/JSON;charset=utf-8")
                .statusCode());
        assertEquals(1, ServletShop.RUNS.size());
    }

    @ParameterizedTest
    @CsvSource({"/own,", "/own,a b", "/own,'\"open'", "/f,", "/f,a b"})
    void noKeyAndAMalformedOneAre400(String where, String bad) {
        HttpResponse<String> told =
                app.post(where + "/pay", bad, order("o"));
        assertEquals(400, told.statusCode());
        assertEquals("application/problem+json",
                TestApp.header(told, "Content-Type"));
        HttpRequest two = app.request(where + "/pay")
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", "a").header("Idempotency-Key", "b")
                .POST(HttpRequest.BodyPublishers.ofString(order("o")))
                .build();
        assertEquals(400, TestApp.send(two).statusCode());
        assertEquals(0, ServletShop.RUNS.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void eachPrincipalHasItsOwnKeys(String where) {
        for (String user : List.of("ann", "bob", "ann")) {
            assertEquals(201, app.post(where + "/pay", key, order("o"),
                    "X-User", user).statusCode());
        }
        assertEquals(2, ServletShop.runs("o"));
        assertEquals(401, app.post(where + "/pay", key, order("o"),
                "X-User", "nobody").statusCode());
        assertEquals(2, ServletShop.runs("o"));
    }

    @ParameterizedTest
    @CsvSource({"200,1", "302,1", "404,1", "409,1", "500,1", "503,1",
        "401,2", "408,2", "413,2", "415,2", "429,2", "431,2"})
    void whichAnswersAreStored(int status, int runs) {
        for (String where : List.of("/own", "/f")) {
            ServletShop.RUNS.clear();
            for (int i = 0; i < 2; i++) {
                HttpResponse<String> told = app.post(
                        where + "/status/" + status, key, "");
                assertEquals(status, told.statusCode());
                assertEquals("it is " + status, told.body());
            }
            assertEquals(runs, ServletShop.runs("status " + status));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aHandlerMaySayThatNothingWasDone(String where) {
        for (int i = 0; i < 2; i++) {
            assertEquals(503, odd(where, "nothing").statusCode());
            assertEquals(500, app.post(where + "/odd/nothing-thrown",
                    key + "t", "").statusCode());
        }
        assertEquals(2, ServletShop.runs("nothing"));
        assertEquals(2, ServletShop.runs("nothing-thrown"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void theErrorPageIsWhatIsStored(String where) {
        HttpResponse<String> first = odd(where, "boom");
        HttpResponse<String> again = odd(where, "boom");
        assertEquals(500, first.statusCode());
        assertEquals(500, again.statusCode());
        assertTrue(first.body().contains("\"status\":500"), first.body());
        assertEquals(first.body(), again.body());
        assertTrue(TestApp.isReplay(again));
        first = odd(where, "error");
        again = odd(where, "error");
        assertEquals(410, first.statusCode());
        assertTrue(first.body().contains("\"status\":410"), first.body());
        assertEquals(first.body(), again.body());
        assertEquals(List.of("boom", "error"), ServletShop.RUNS);
    }

    @Test
    void anExceptionReleasesOrLeavesWhereThatIsSaid() {
        odd("/own", "boom-released");
        assertEquals(500, odd("/own", "boom-released").statusCode());
        assertEquals(2, ServletShop.runs("boom-released"));
        odd("/own", "boom-left");
        assertEquals(409, odd("/own", "boom-left").statusCode());
        assertEquals(1, ServletShop.runs("boom-left"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aCommitThatFailsLeavesTheClaim(String where) {
        assertEquals(500, odd(where, "commit-fails").statusCode());
        TestApp.until(() -> odd(where, "commit-fails").statusCode() == 409);
        assertEquals(1, ServletShop.runs("commit-fails"));
    }

    @Test
    void anAnswerThatBreaksOffIsStoredAsA500() {
        try {
            odd("/own", "half");
        } catch (RuntimeException broken) {
            assertTrue(broken.getCause() instanceof java.io.IOException);
        }
        TestApp.until(() -> odd("/own", "half").statusCode() == 500);
        assertEquals(1, ServletShop.runs("half"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void whatIsAnsweredBeforeTheHandlerIsNotItsAnswer(String where) {
        assertEquals(400,
                app.post(where + "/pay", key, "no json").statusCode());
        assertEquals(201,
                app.post(where + "/pay", key, order("o")).statusCode());
        assertEquals(404,
                app.post("/f/nowhere", key, "").statusCode());
        String name = HttpKey.storeKey(key, "POST", "/f/nowhere", "anyone");
        TestApp.until(() -> app.bean(IdemStore.class).peek(Key.of(name))
                .state() == State.ABSENT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"callable", "deferred", "stage", "mono", "flux",
        "forward", "writer", "encodings", "stream"})
    void whateverAHandlerReturnsIsReplayed(String what) {
        for (String where : List.of("/own", "/f")) {
            ServletShop.RUNS.clear();
            HttpResponse<String> first = odd(where, what);
            HttpResponse<String> again = odd(where, what);
            assertTrue(first.statusCode() < 300, first.body());
            assertFalse(first.body().isEmpty());
            assertEquals(first.body(), again.body());
            assertEquals(first.statusCode(), again.statusCode());
            assertEquals(TestApp.header(first, "Content-Type"),
                    TestApp.header(again, "Content-Type"));
            assertEquals("true",
                    TestApp.header(again, "Idempotency-Replayed"));
            assertEquals(List.of(what), ServletShop.RUNS);
        }
    }

    @Test
    void whatFailsLaterIsStoredToo() {
        HttpResponse<String> first = odd("/own", "stage-fails");
        HttpResponse<String> again = odd("/own", "stage-fails");
        assertEquals(500, first.statusCode());
        assertEquals(first.body(), again.body());
        assertEquals(1, ServletShop.runs("stage-fails"));
    }

    @Test
    void oneThatTimesOutLeavesTheClaim() {
        assertEquals(503, odd("/own", "timed-out").statusCode());
        assertEquals(409, odd("/own", "timed-out").statusCode());
        assertEquals(1, ServletShop.runs("timed-out"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void anEventStreamIsNotCaptured(String where) {
        HttpResponse<String> first = odd(where, "events");
        assertTrue(first.body().contains("two"), first.body());
        HttpResponse<String> again = odd(where, "events");
        assertEquals("true; body=dropped",
                TestApp.header(again, "Idempotency-Replayed"));
        assertEquals("", again.body());
        assertEquals(1, ServletShop.runs("events"));
    }

    @Test
    void aStreamIsSentAsItComes() throws Exception {
        ServletShop.go = new CountDownLatch(1);
        HttpResponse<java.io.InputStream> told = TestApp.HTTP.send(
                app.posting("/own/odd/stream", key, ""),
                HttpResponse.BodyHandlers.ofInputStream());
        int bytes = ServletShop.PART_BYTES;
        assertEquals("1".repeat(bytes / 2),
                new String(told.body().readNBytes(bytes / 2)));
        ServletShop.go.countDown();
        assertEquals("3", new String(told.body().readAllBytes())
                .substring(3 * bytes - bytes / 2 - 1));
    }

    @Test
    void anAnswerOverTheLimitIsReplayedWithoutItsBody() {
        HttpResponse<String> first = odd("/own", "big");
        HttpResponse<String> again = odd("/own", "big");
        assertEquals((1 << 20) + 1, first.body().length());
        assertEquals(201, again.statusCode());
        assertEquals("", again.body());
        assertEquals("true; body=dropped",
                TestApp.header(again, "Idempotency-Replayed"));
        assertEquals("image/png", TestApp.header(again, "Content-Type"));
        assertEquals(1, ServletShop.runs("big"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void whatCompressesWithinDoesNotEncodeForEverybody(String where) {
        HttpResponse<String> zipped = app.post(where + "/odd/writer", key,
                "", "Accept-Encoding", "gzip", "X-Gzip", "1");
        HttpResponse<String> plain =
                app.post(where + "/odd/writer", key, "");
        assertEquals(zipped.statusCode(), plain.statusCode());
        assertTrue(plain.body().startsWith("gr\u00fc\u00dfe"));
        if (where.equals("/f")) { // claimed before the filter within
            assertNull(TestApp.header(zipped, "Content-Encoding"));
        }
        assertNull(TestApp.header(plain, "Content-Encoding"));
        assertEquals(1, ServletShop.runs("writer"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aFormIsComparedAndRead(String where) {
        for (int i = 0; i < 2; i++) {
            HttpResponse<String> told = app.post(where + "/odd/form?b=0",
                    key, "a=x%20y&b=1&b=2", "Content-Type",
                    "application/x-www-form-urlencoded");
            assertEquals("x y[0, 1, 2]", told.body());
        }
        assertEquals(422, app.post(where + "/odd/form?b=0", key,
                "a=z&b=1&b=2", "Content-Type",
                "application/x-www-form-urlencoded").statusCode());
        assertEquals(1, ServletShop.runs("form"));
    }

    private HttpResponse<String> upload(String path, String boundary) {
        return app.post(path, key, "--" + boundary + "\r\n"
                + "Content-Disposition: form-data; name=\"file\"; "
                + "filename=\"" + key + "\"\r\n\r\nabc\r\n--" + boundary
                + "--\r\n", "Content-Type",
                "multipart/form-data; boundary=" + boundary);
    }

    @Test
    void aMultipartBodyIsRefusedUnlessAnExpressionComparesIt() {
        assertEquals(415, upload("/own/odd/file", "one").statusCode());
        assertEquals(415, upload("/f/odd/file", "one").statusCode());
        assertEquals(0, ServletShop.RUNS.size());
        assertEquals(key, upload("/own/odd/file-named", "one").body());
        HttpResponse<String> again = upload("/own/odd/file-named", "two");
        assertEquals(key, again.body());
        assertTrue(TestApp.isReplay(again));
        assertEquals(1, ServletShop.runs("file-named"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aBodyOverTheLimitIsRefused(String where) {
        assertEquals(413, app.post(where + "/pay", key,
                " ".repeat(200_001)).statusCode());
        assertEquals(0, ServletShop.RUNS.size());
    }

    @Test
    void aResultOfSomebodyElseIsA500ThatSaysSo() {
        String name = HttpKey.storeKey(key, "POST", "/own/pay", "anyone");
        IdemStore store = app.bean(IdemStore.class);
        Acquired claim = (Acquired) store.acquire(Key.of(name));
        store.complete(Key.of(name), claim.token(), new byte[] {1, 2});
        HttpResponse<String> told = app.post("/own/pay", key, order("o"));
        assertEquals(500, told.statusCode());
        assertTrue(told.body().contains("not_http"), told.body());
        assertEquals(0, ServletShop.RUNS.size());
    }

    @Test
    void aReadIsCoveredWhereItIsAnnotated() {
        for (int i = 0; i < 2; i++) {
            assertEquals("x", TestApp.send(app.request("/own/odd/read?q=x")
                    .header("Idempotency-Key", key).build()).body());
        }
        assertEquals(1, ServletShop.runs("read"));
    }

    @Test
    void aClientThatLeavesDoesNotStopItsHandler() throws Exception {
        ServletShop.go = new CountDownLatch(1);
        try (java.net.Socket socket = new java.net.Socket("127.0.0.1",
                app.context.getEnvironment().getProperty("local.server.port",
                        Integer.class))) {
            String body = order("left");
            socket.getOutputStream().write(("POST /own/slow HTTP/1.1\r\n"
                    + "Host: a\r\nContent-Type: application/json\r\n"
                    + "Idempotency-Key: " + key + "\r\nContent-Length: "
                    + body.length() + "\r\n\r\n" + body).getBytes());
            TestApp.until(() -> ServletShop.runs("left") == 1);
        }
        ServletShop.go.countDown();
        TestApp.until(() -> {
            HttpResponse<String> told =
                    app.post("/own/slow", key, order("left"));
            return told.statusCode() == 200 && TestApp.isReplay(told);
        });
        assertEquals(1, ServletShop.runs("left"));
    }

    @Test
    void aStoreThatIsAwayIs503OrIsPassed() {
        try (TestApp closed = TestApp.start(ServletShop.class,
                WebApplicationType.SERVLET, "idemstore.http.paths=/f/**",
                "idemstore.uri=idem://127.0.0.1:1?timeout_ms=200")) {
            for (String path : List.of("/own/pay", "/f/pay")) {
                HttpResponse<String> told = closed.post(path, key, order("c"));
                assertEquals(503, told.statusCode());
                assertEquals("1", TestApp.header(told, "Retry-After"));
            }
            assertEquals(0, ServletShop.runs("c"));
            assertNotEquals(200, TestApp.send(closed.request(
                    "/actuator/health").build()).statusCode());
        }
        try (TestApp open = TestApp.start(ServletShop.class,
                WebApplicationType.SERVLET, "idemstore.http.paths=/f/**",
                "idemstore.http.on-unavailable=open",
                "idemstore.uri=idem://127.0.0.1:1?timeout_ms=200")) {
            assertEquals(201,
                    open.post("/own/pay", key, order("c")).statusCode());
            assertEquals(201,
                    open.post("/f/pay", key, order("c")).statusCode());
            assertEquals(2, open.bean(IdempotencyCounts.class)
                    .of(IdempotencyCounts.What.PASSED));
        }
    }
}
