// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.InMemoryIdemStore;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/**
 * The recipe that most Spring services have, "SET key body NX EX 7" around a
 * handler, told step by step: to the letter (renew = false), with a claim that
 * lasts as long as its handler (our expireTime), and with replays (our
 * default). The first story has a clock of its own; the last one a daemon.
 */
class SeedTest {
    private static final AtomicInteger RUNS = new AtomicInteger();
    private static final AtomicLong NOW = new AtomicLong(1_000);
    private static volatile CountDownLatch go = new CountDownLatch(0);
    private static TestApp letter;
    private static TestApp real;
    private String key;

    @Configuration(proxyBeanMethods = false)
    static class Clocked {
        @Bean
        InMemoryIdemStore store() {
            return new InMemoryIdemStore("", NOW::get);
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @org.springframework.context.annotation.Import({Clocked.class,
        Payments.class})
    static class Letter {
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @org.springframework.context.annotation.Import(Payments.class)
    static class Real {
    }

    @RestController
    static class Payments {
        @PostMapping("/letter")
        @Idempotent(expireTime = 7, renew = false)
        String letter(@RequestBody(required = false) String body)
                throws InterruptedException {
            return pay();
        }

        @PostMapping("/letter-fails")
        @Idempotent(expireTime = 7, renew = false)
        String letterFails(@RequestBody String body) {
            RUNS.incrementAndGet();
            throw new IllegalStateException("no account");
        }

        @GetMapping("/letter")
        @Idempotent(expireTime = 7, renew = false)
        String read() throws InterruptedException {
            return pay();
        }

        @PostMapping("/ours")
        @Idempotent(expireTime = 2)
        String ours(@RequestBody String body) throws InterruptedException {
            return pay();
        }

        @PostMapping("/ours-fails")
        @Idempotent(expireTime = 2)
        String oursFails(@RequestBody String body) {
            RUNS.incrementAndGet();
            throw new IllegalStateException("no account");
        }

        @PostMapping("/ours-later")
        @Idempotent(expireTime = 1)
        CompletableFuture<String> oursLater(@RequestBody String body) {
            return CompletableFuture.supplyAsync(() -> {
                try {
                    return pay();
                } catch (InterruptedException why) {
                    throw new IllegalStateException(why);
                }
            }, work -> new Thread(work).start());
        }

        @PostMapping("/default")
        @Idempotent
        String replayed(@RequestBody String body)
                throws InterruptedException {
            return pay();
        }

        private static String pay() throws InterruptedException {
            int run = RUNS.incrementAndGet();
            go.await();
            return "payment " + run;
        }
    }

    @BeforeAll
    static void start() {
        letter = TestApp.start(Letter.class, WebApplicationType.SERVLET,
                "idemstore.scope=none",
                "idemstore.http.header=requestKey");
        real = TestApp.start(Real.class, WebApplicationType.SERVLET,
                "idemstore.scope=none",
                "idemstore.http.header=requestKey");
    }

    @AfterAll
    static void stop() {
        letter.close();
        real.close();
    }

    @BeforeEach
    void fresh() {
        RUNS.set(0);
        go = new CountDownLatch(0);
        key = UUID.randomUUID().toString();
    }

    private HttpResponse<String> pay(TestApp app, String path, String body) {
        return app.post(path, null, body, "requestKey", key);
    }

    private int status(TestApp app, String path, String body) {
        return pay(app, path, body).statusCode();
    }

    @Test
    void theStoryToTheLetter() {
        // The user clicks: he pays.
        assertEquals("payment 1", pay(letter, "/letter", "5 eur").body());
        // He clicks again, within seven seconds: 409, and when to come again.
        HttpResponse<String> again = pay(letter, "/letter", "5 eur");
        assertEquals(409, again.statusCode());
        assertEquals("7", TestApp.header(again, "Retry-After"));
        NOW.addAndGet(6_999);
        assertEquals(409, status(letter, "/letter", "5 eur"));
        // The same key with another body: 422.
        assertEquals(422, status(letter, "/letter", "6 eur"));
        // No key, and an empty one: 400.
        assertEquals(400, letter.post("/letter", null, "5 eur")
                .statusCode());
        assertEquals(400, letter.post("/letter", null, "5 eur",
                "requestKey", "").statusCode());
        assertEquals(1, RUNS.get());
        // After seven seconds the key is new, for whatever body.
        NOW.addAndGet(1);
        assertEquals("payment 2", pay(letter, "/letter", "6 eur").body());
        // The bare key is everybody's, at each path.
        assertEquals(409, status(letter, "/letter?at=another", "6 eur"));
    }

    /** Its fault, kept where one asks for it. */
    @Test
    void toTheLetterAHandlerThatTakesLongerRunsTwice() {
        go = new CountDownLatch(1);
        CompletableFuture<HttpResponse<String>> first = TestApp.sendLater(
                letter.posting("/letter", null, "5 eur", "requestKey", key));
        TestApp.until(() -> RUNS.get() == 1);
        assertEquals(409, status(letter, "/letter", "5 eur"));
        NOW.addAndGet(7_000);
        CompletableFuture<HttpResponse<String>> second = TestApp.sendLater(
                letter.posting("/letter", null, "5 eur", "requestKey", key));
        TestApp.until(() -> RUNS.get() == 2);
        go.countDown();
        assertEquals(200, first.join().statusCode());
        assertEquals(200, second.join().statusCode());
    }

    @Test
    void toTheLetterAFailureKeepsTheKey() {
        assertEquals(500, status(letter, "/letter-fails", "5 eur"));
        assertEquals(409, status(letter, "/letter-fails", "5 eur"));
        NOW.addAndGet(7_000);
        assertEquals(500, status(letter, "/letter-fails", "5 eur"));
        assertEquals(2, RUNS.get());
    }

    @Test
    void aBlankBodyIsNoFingerprint() {
        assertEquals(200, status(letter, "/letter", " \r\n"));
        assertEquals(409, status(letter, "/letter", "5 eur"));
        key += "g";
        assertEquals(200, get("/letter").statusCode());
        assertEquals(409, get("/letter?a=1").statusCode());
        key += "h";
        assertEquals(200, get("/letter?a=1").statusCode());
        assertEquals(422, get("/letter?a=2").statusCode());
        assertEquals(409, get("/letter").statusCode());
    }

    private HttpResponse<String> get(String path) {
        HttpRequest made = letter.request(path).header("requestKey", key)
                .build();
        return TestApp.send(made);
    }

    /** Ours: until seven seconds after the start, or the end if later. */
    @ParameterizedTest
    @ValueSource(strings = {"/ours", "/ours-later"})
    void oursIsHeldWhileItsHandlerIsAtWork(String path) throws Exception {
        go = new CountDownLatch(1);
        CompletableFuture<HttpResponse<String>> first = TestApp.sendLater(
                real.posting(path, null, "5 eur", "requestKey", key));
        TestApp.until(() -> RUNS.get() == 1);
        Thread.sleep(2_600); // longer than expireTime
        assertEquals(409, status(real, path, "5 eur"));
        assertEquals(422, status(real, path, "6 eur"));
        go.countDown();
        assertEquals("payment 1", first.join().body());
        // It has ended, and its time is over: the key is new.
        TestApp.until(() -> status(real, path, "6 eur") == 200);
        assertEquals(2, RUNS.get());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/ours", "/ours-fails"})
    void oursIsRefusedUntilItsTimeIsOver(String path) {
        int said = path.equals("/ours") ? 200 : 500;
        assertEquals(said, status(real, path, "5 eur"));
        HttpResponse<String> again = pay(real, path, "5 eur");
        if (again.statusCode() == 409) { // a busy machine may be late
            assertTrue(Integer.parseInt(
                    TestApp.header(again, "Retry-After")) <= 2);
        }
        TestApp.until(() -> status(real, path, "5 eur") == said
                && RUNS.get() >= 2);
    }

    @Test
    void theDefaultReplays() {
        assertEquals("payment 1", pay(real, "/default", "5 eur").body());
        HttpResponse<String> again = pay(real, "/default", "5 eur");
        assertEquals("payment 1", again.body());
        assertEquals("true", TestApp.header(again, "Idempotency-Replayed"));
        assertEquals(422, status(real, "/default", "6 eur"));
        assertEquals(400,
                real.post("/default", null, "5 eur").statusCode());
        assertEquals(1, RUNS.get());
    }
}
