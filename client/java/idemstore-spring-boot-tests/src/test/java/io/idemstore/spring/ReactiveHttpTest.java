// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.HttpKey;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import io.idemstore.State;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.WebApplicationType;
import reactor.core.publisher.Sinks;

/** docs/http.md in WebFlux on Netty. */
class ReactiveHttpTest {
    private static TestApp app;
    private String key;

    @BeforeAll
    static void start() {
        app = TestApp.start(ReactiveShop.class, WebApplicationType.REACTIVE,
                "idemstore.http.paths=/f/**",
                "idemstore.http.body-bytes-max=200000");
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    @BeforeEach
    void fresh() {
        ReactiveShop.RUNS.clear();
        ReactiveShop.go = Sinks.empty();
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
        assertEquals("a=1", TestApp.header(first, "Set-Cookie"));
        assertNull(TestApp.header(again, "Set-Cookie"));
        assertNull(TestApp.header(again, "X-Own"));
        assertEquals(422,
                app.post(where + "/pay", key, order("b")).statusCode());
        assertEquals(422,
                app.post(where + "/pay?x=1", key, order("o")).statusCode());
        assertEquals(List.of("o"), ReactiveShop.RUNS);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void ofManyAtOnceOneRuns(String where) {
        List<CompletableFuture<HttpResponse<String>>> all =
                new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            all.add(TestApp.sendLater(
                    app.posting(where + "/slow", key, order("o"))));
        }
        TestApp.until(() -> all.stream()
                .filter(CompletableFuture::isDone).count() == 4);
        ReactiveShop.go.tryEmitEmpty();
        int refused = 0;
        for (CompletableFuture<HttpResponse<String>> one : all) {
            HttpResponse<String> told = one.join();
            if (told.statusCode() == 409) {
                refused++;
                assertEquals("application/problem+json",
                        TestApp.header(told, "Content-Type"));
                assertTrue(Integer.parseInt(TestApp.header(told,
                        "Retry-After")) >= 1);
            }
        }
        assertEquals(4, refused);
        assertEquals(1, ReactiveShop.runs("o"));
    }

    @ParameterizedTest
    @CsvSource({"/own,", "/own,a b", "/f,", "/f,'\"open'"})
    void noKeyAndAMalformedOneAre400(String where, String bad) {
        HttpResponse<String> told = app.post(where + "/pay", bad, order("o"));
        assertEquals(400, told.statusCode());
        assertEquals("application/problem+json",
                TestApp.header(told, "Content-Type"));
        assertEquals(0, ReactiveShop.RUNS.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void eachPrincipalHasItsOwnKeys(String where) {
        for (String user : List.of("ann", "bob", "ann")) {
            assertEquals(201, app.post(where + "/pay", key, order("o"),
                    "X-User", user).statusCode());
        }
        assertEquals(401, app.post(where + "/pay", key, order("o"),
                "X-User", "nobody").statusCode());
        assertEquals(2, ReactiveShop.runs("o"));
    }

    @ParameterizedTest
    @CsvSource({"200,1", "302,1", "404,1", "500,1", "503,1", "401,2",
        "408,2", "415,2", "429,2"})
    void whichAnswersAreStored(int status, int runs) {
        for (String where : List.of("/own", "/f")) {
            ReactiveShop.RUNS.clear();
            for (int i = 0; i < 2; i++) {
                HttpResponse<String> told = app.post(
                        where + "/status/" + status, key, "");
                assertEquals(status, told.statusCode());
                assertEquals("it is " + status, told.body());
            }
            assertEquals(runs, ReactiveShop.runs("status " + status));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aHandlerMaySayThatNothingWasDone(String where) {
        for (int i = 0; i < 2; i++) {
            assertEquals(503, odd(where, "nothing").statusCode());
        }
        assertEquals(2, ReactiveShop.runs("nothing"));
    }

    @ParameterizedTest
    @CsvSource({"boom,500", "thrown,500", "error,410"})
    void thePageOfAnErrorIsWhatIsStored(String what, int status) {
        for (String where : List.of("/own", "/f")) {
            ReactiveShop.RUNS.clear();
            HttpResponse<String> first = odd(where, what);
            HttpResponse<String> again = odd(where, what);
            assertEquals(status, first.statusCode());
            assertTrue(first.body().contains("\"status\":" + status),
                    first.body());
            assertEquals(first.body(), again.body());
            assertEquals(status, again.statusCode());
            assertTrue(TestApp.isReplay(again));
            assertEquals(List.of(what), ReactiveShop.RUNS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aCommitThatFailsLeavesTheClaim(String where) {
        assertEquals(500, odd(where, "commit-fails").statusCode());
        assertEquals(409, odd(where, "commit-fails").statusCode());
        assertEquals(1, ReactiveShop.runs("commit-fails"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own/pay", "/f/pay", "/f/plain"})
    void whatIsAnsweredBeforeTheHandlerIsNotItsAnswer(String path) {
        HttpResponse<String> told = app.post(path, key, "no json");
        assertEquals(400, told.statusCode());
        if (!path.endsWith("plain")) { // it tells nothing: it had begun
            assertEquals(201,
                    app.post(path, key, order("o")).statusCode());
        }
        assertEquals(404, app.post("/f/nowhere", key, "").statusCode());
        String name = HttpKey.storeKey(key, "POST", "/f/nowhere", "anyone");
        TestApp.until(() -> app.bean(IdemStore.class).peek(Key.of(name))
                .state() == State.ABSENT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"empty", "flux", "lines", "token"})
    void whateverAHandlerReturnsIsReplayed(String what) {
        for (String where : List.of("/own", "/f")) {
            ReactiveShop.RUNS.clear();
            HttpResponse<String> first = odd(where, what);
            HttpResponse<String> again = odd(where, what);
            assertEquals(200, first.statusCode(), first.body());
            assertEquals(what.equals("empty"), first.body().isEmpty());
            assertEquals(first.body(), again.body());
            assertEquals(TestApp.header(first, "Content-Type"),
                    TestApp.header(again, "Content-Type"));
            assertEquals("true",
                    TestApp.header(again, "Idempotency-Replayed"));
            assertEquals(List.of(what), ReactiveShop.RUNS);
        }
    }

    @Test
    void aRoutedHandlerIsReplayed() {
        for (int i = 0; i < 2; i++) {
            assertEquals("routed", app.post("/f/routed", key, "").body());
        }
        assertEquals(1, ReactiveShop.runs("routed"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void anEventStreamIsNotCaptured(String where) {
        HttpResponse<String> first = odd(where, "events");
        assertTrue(first.body().contains("two"), first.body());
        TestApp.until(() -> {
            HttpResponse<String> again = odd(where, "events");
            return "true; body=dropped".equals(
                    TestApp.header(again, "Idempotency-Replayed"));
        });
        assertEquals(1, ReactiveShop.runs("events"));
    }

    @Test
    void anAnswerOverTheLimitIsReplayedWithoutItsBody() {
        assertEquals((1 << 20) + 1, odd("/own", "big").body().length());
        HttpResponse<String> again = odd("/own", "big");
        assertEquals("", again.body());
        assertEquals("true; body=dropped",
                TestApp.header(again, "Idempotency-Replayed"));
        assertEquals(1, ReactiveShop.runs("big"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void whatIsTooLargeOrMultipartIsRefused(String where) {
        // Netty closes on a body that nobody reads, perhaps before its
        // client has read the answer.
        TestApp.until(() -> {
            try {
                return app.post(where + "/pay", key, order("o")
                        + " ".repeat(200_001)).statusCode() == 413;
            } catch (java.io.UncheckedIOException closed) {
                return false;
            }
        });
        assertEquals(415, app.post(where + "/odd/nothing", key, "--x--",
                "Content-Type", "multipart/form-data; boundary=x")
                .statusCode());
        assertEquals(0, ReactiveShop.RUNS.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/own", "/f"})
    void aClientThatLeavesDoesNotStopItsHandler(String where)
            throws Exception {
        try (java.net.Socket socket = new java.net.Socket("127.0.0.1",
                app.context.getEnvironment().getProperty("local.server.port",
                        Integer.class))) {
            String body = order("left");
            socket.getOutputStream().write(("POST " + where
                    + "/slow HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Type: application/json\r\n"
                    + "Idempotency-Key: " + key + "\r\nContent-Length: "
                    + body.length() + "\r\n\r\n" + body).getBytes());
            TestApp.until(() -> ReactiveShop.runs("left") == 1);
        }
        Thread.sleep(100); // the server may hear that it left
        ReactiveShop.go.tryEmitEmpty();
        TestApp.until(() -> {
            HttpResponse<String> told =
                    app.post(where + "/slow", key, order("left"));
            return told.statusCode() == 200 && TestApp.isReplay(told);
        });
        assertEquals(1, ReactiveShop.runs("left"));
    }

    @Test
    void aStoreThatIsAwayIs503OrIsPassed() {
        try (TestApp closed = TestApp.start(ReactiveShop.class,
                WebApplicationType.REACTIVE, "idemstore.http.paths=/f/**",
                "idemstore.uri=idem://127.0.0.1:1?timeout_ms=200")) {
            for (String path : List.of("/own/pay", "/f/pay")) {
                HttpResponse<String> told = closed.post(path, key, order("c"));
                assertEquals(503, told.statusCode());
                assertEquals("1", TestApp.header(told, "Retry-After"));
            }
            assertEquals(0, ReactiveShop.runs("c"));
        }
        try (TestApp open = TestApp.start(ReactiveShop.class,
                WebApplicationType.REACTIVE, "idemstore.http.paths=/f/**",
                "idemstore.http.on-unavailable=open",
                "idemstore.uri=idem://127.0.0.1:1?timeout_ms=200")) {
            for (String path : List.of("/own/pay", "/f/pay")) {
                assertEquals(201,
                        open.post(path, key, order("c")).statusCode());
            }
            assertEquals(2, open.bean(IdempotencyCounts.class)
                    .of(IdempotencyCounts.What.PASSED));
        }
    }
}
