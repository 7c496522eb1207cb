// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.Claim;
import io.idemstore.FailedBeforeException;
import io.idemstore.IdemException;
import io.idemstore.InProgress;
import io.idemstore.Mismatch;
import io.idemstore.NotRunException;
import io.idemstore.NothingDoneException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.scheduling.annotation.Async;
import org.springframework.scheduling.annotation.EnableAsync;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** @Idempotent on services: what duplicates get, whatever is returned. */
class ServiceTest {
    private static TestApp app;
    private static Shop shop;
    private static final AtomicInteger RUNS = new AtomicInteger();
    private static volatile CountDownLatch go = new CountDownLatch(0);
    private String id;

    record Order(String id, int amount) {
    }

    record Receipt(String id, List<Integer> parts, Optional<String> note) {
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableAsync
    static class App {
        @Bean
        Shop shop() {
            return new Shop();
        }

        @Bean
        Loud loud() {
            return new Loud();
        }
    }

    /** A serializer of its own. */
    static class Loud implements ResultSerializer {
        @Override
        public byte[] write(Object value, java.lang.reflect.Type type) {
            return value.toString().toUpperCase().getBytes();
        }

        @Override
        public Object read(byte[] stored, java.lang.reflect.Type type) {
            return new String(stored);
        }
    }

    static class Shop {
        @Idempotent(key = "#order.id")
        public Receipt receipt(Order order) {
            RUNS.incrementAndGet();
            return new Receipt(order.id(), List.of(order.amount()),
                    Optional.of("paid"));
        }

        @Idempotent(key = "#id", fingerprint = "{#amount, #unit}")
        public Map<String, List<Long>> compared(String id, int amount,
                String unit) {
            RUNS.incrementAndGet();
            return Map.of(unit, List.of((long) amount));
        }

        @Idempotent(key = "#p0")
        public void nothing(String id) {
            RUNS.incrementAndGet();
        }

        @Idempotent(key = "#p0")
        public String nullable(String id) {
            RUNS.incrementAndGet();
            return null;
        }

        @Idempotent(key = "#p0")
        public String token(String id) {
            Claim claim = Claim.current();
            return claim.token() + " " + claim.attempt();
        }

        @Idempotent(key = "#id", scope = Scope.NONE)
        public int bare(String id) {
            return RUNS.incrementAndGet();
        }

        @Idempotent(key = "#id", scope = Scope.NONE)
        public int bareToo(String id) {
            return RUNS.incrementAndGet();
        }

        @Idempotent(key = "#id")
        public String slow(String id) throws InterruptedException {
            RUNS.incrementAndGet();
            go.await();
            return "done";
        }

        @Idempotent(key = "#id", waitFor = "60s")
        public String slowWaited(String id) throws InterruptedException {
            RUNS.incrementAndGet();
            go.await();
            return "done";
        }

        @Idempotent(key = "#id")
        public int fails(String id) {
            throw new IllegalStateException("run " + RUNS.incrementAndGet());
        }

        @Idempotent(key = "#id", onFailure = Failure.RELEASE)
        public int failsReleased(String id) {
            throw new IllegalStateException("run " + RUNS.incrementAndGet());
        }

        @Idempotent(key = "#id", onFailure = Failure.STORE)
        public int failsStored(String id) {
            throw new IllegalStateException("run " + RUNS.incrementAndGet());
        }

        @Idempotent(key = "#id", nothingDone = ArithmeticException.class)
        public int failsCleanly(String id, boolean ours) {
            RUNS.incrementAndGet();
            throw ours ? new NothingDoneException("no")
                    : new ArithmeticException("no");
        }

        @Idempotent(key = "#id")
        public CompletableFuture<Receipt> later(String id) {
            int run = RUNS.incrementAndGet();
            return CompletableFuture.supplyAsync(() ->
                    new Receipt(id, List.of(run), Optional.empty()));
        }

        @Idempotent(key = "#id", onFailure = Failure.STORE)
        public CompletableFuture<String> laterFails(String id) {
            RUNS.incrementAndGet();
            return CompletableFuture.failedFuture(
                    new IllegalStateException("boom"));
        }

        @Idempotent(key = "#id")
        public Mono<Receipt> mono(String id) {
            return IdempotentContext.claim().map(claim -> new Receipt(id,
                    List.of(RUNS.incrementAndGet()), Optional.empty()));
        }

        @Idempotent(key = "#id")
        public Mono<String> monoEmpty(String id) {
            RUNS.incrementAndGet();
            return Mono.empty();
        }

        @Idempotent(key = "#id")
        public Flux<Order> flux(String id) {
            RUNS.incrementAndGet();
            return Flux.range(1, 3).map(n -> new Order(id, n));
        }

        @Idempotent(key = "#id", onFailure = Failure.RELEASE)
        public Flux<Order> fluxFails(String id) {
            RUNS.incrementAndGet();
            return Flux.concat(Flux.just(new Order(id, 1)),
                    Flux.error(new IllegalStateException("boom")));
        }

        @Idempotent(key = "#id")
        public Callable<Integer> callable(String id) {
            return RUNS::incrementAndGet;
        }

        @Async
        @Idempotent(key = "#id")
        public CompletableFuture<Integer> async(String id) {
            return CompletableFuture.completedFuture(RUNS.incrementAndGet());
        }

        @Async
        @Idempotent(key = "#id")
        public void asyncVoid(String id) {
            RUNS.incrementAndGet();
        }

        @Idempotent(key = "#id", serializer = Loud.class)
        public String loud(String id) {
            return "paid";
        }

        @Idempotent(key = "#id")
        public Object undeclared(String id) {
            return new CompletableFuture<String>();
        }

        @Idempotent(key = "#id", lease = "60ms", renew = true)
        public int renewed(String id) throws InterruptedException {
            int run = RUNS.incrementAndGet();
            go.await();
            return run;
        }

        @Idempotent(key = "#id", retention = "50ms", lease = "50ms")
        public int forgotten(String id) {
            return RUNS.incrementAndGet();
        }

        @Idempotent
        public int headerOnly() {
            return RUNS.incrementAndGet();
        }

        @Idempotent(key = "#id")
        public String big(String id) {
            return "x".repeat((1 << 20) + 1);
        }
    }

    @BeforeAll
    static void start() {
        app = TestApp.start(App.class, WebApplicationType.NONE);
        shop = app.bean(Shop.class);
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    @BeforeEach
    void fresh() {
        id = UUID.randomUUID().toString();
        RUNS.set(0);
        go = new CountDownLatch(0);
    }

    @Test
    void aDuplicateGetsTheValue() {
        Receipt first = shop.receipt(new Order(id, 5));
        assertEquals(first, shop.receipt(new Order(id, 5)));
        assertEquals(Map.of("eur", List.of(5L)),
                shop.compared(id, 5, "eur"));
        assertEquals(Map.of("eur", List.of(5L)),
                shop.compared(id, 5, "eur"));
        assertEquals(2, RUNS.get()); // the key belongs to its method
        NotRunException why = assertThrows(NotRunException.class,
                () -> shop.compared(id, 6, "eur"));
        assertTrue(why.answer() instanceof Mismatch);
        shop.nothing(id);
        shop.nothing(id);
        assertNull(shop.nullable(id));
        assertNull(shop.nullable(id));
        assertEquals(4, RUNS.get());
        assertEquals("paid", shop.loud(id));
        assertEquals("PAID", shop.loud(id));
        assertEquals(shop.token(id), shop.token(id));
        assertNull(Claim.current());
    }

    @Test
    void aBareKeyIsEverybodys() {
        assertEquals(1, shop.bare(id));
        assertEquals(1, shop.bareToo(id));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " "})
    void aBlankKeyIsNone(String blank) {
        IdemException why = assertThrows(IdemException.class,
                () -> shop.nothing(blank));
        assertEquals(io.idemstore.ErrorCode.KEY_MISSING, why.code());
        assertEquals(0, RUNS.get());
        assertThrows(IdemException.class, () -> shop.headerOnly());
    }

    @Test
    void oneAtATime() throws Exception {
        go = new CountDownLatch(1);
        CompletableFuture<String> first =
                CompletableFuture.supplyAsync(this::slow);
        TestApp.until(() -> RUNS.get() == 1);
        NotRunException why = assertThrows(NotRunException.class,
                () -> shop.slow(id));
        assertTrue(why.answer() instanceof InProgress);
        go.countDown();
        assertEquals("done", first.join());
        assertEquals("done", shop.slow(id));
    }

    private String slow() {
        try {
            return shop.slow(id);
        } catch (InterruptedException why) {
            throw new IllegalStateException(why);
        }
    }

    @Test
    void aDuplicateMayWait() throws Exception {
        go = new CountDownLatch(1);
        List<CompletableFuture<String>> all = Stream.generate(() ->
                CompletableFuture.supplyAsync(() -> {
                    try {
                        return shop.slowWaited(id);
                    } catch (InterruptedException why) {
                        throw new IllegalStateException(why);
                    }
                }, work -> new Thread(work).start())).limit(3).toList();
        TestApp.until(() -> RUNS.get() == 1);
        go.countDown();
        all.forEach(one -> assertEquals("done", one.join()));
        assertEquals(1, RUNS.get());
    }

    @Test
    void aFailureLeavesReleasesOrIsStored() {
        assertThrows(IllegalStateException.class, () -> shop.fails(id));
        assertTrue(assertThrows(NotRunException.class, () -> shop.fails(id))
                .answer() instanceof InProgress);
        for (int i = 0; i < 2; i++) {
            assertThrows(IllegalStateException.class,
                    () -> shop.failsReleased(id));
        }
        assertThrows(IllegalStateException.class,
                () -> shop.failsStored(id));
        assertEquals("IllegalStateException: run 4",
                assertThrows(FailedBeforeException.class,
                        () -> shop.failsStored(id)).stored());
        RUNS.set(0);
        assertThrows(NothingDoneException.class,
                () -> shop.failsCleanly(id, true));
        assertThrows(ArithmeticException.class,
                () -> shop.failsCleanly(id, false));
        assertThrows(ArithmeticException.class,
                () -> shop.failsCleanly(id, false));
        assertEquals(3, RUNS.get());
    }

    @Test
    void whatEndsLaterIsCompletedThen() throws Exception {
        assertEquals(shop.later(id).join(), shop.later(id).join());
        assertEquals(shop.mono(id).block(), shop.mono(id).block());
        assertNull(shop.monoEmpty(id).block());
        assertNull(shop.monoEmpty(id).block());
        assertEquals(3, shop.flux(id).collectList().block().size());
        assertEquals(List.of(new Order(id, 1), new Order(id, 2),
                new Order(id, 3)), shop.flux(id).collectList().block());
        assertEquals(4, RUNS.get());
        assertEquals(5, shop.callable(id).call());
        assertEquals(5, shop.callable(id).call());
        assertEquals(6, shop.async(id).join());
        assertEquals(6, shop.async(id).join());
        shop.asyncVoid(id);
        shop.asyncVoid(id);
        TestApp.until(() -> RUNS.get() == 7);
    }

    @Test
    void aPipelineAsksWhenItIsSubscribedTo() {
        Mono<Receipt> mono = shop.mono(id);
        assertEquals(0, RUNS.get());
        assertEquals(mono.block(), mono.block());
        assertEquals(1, RUNS.get());
    }

    @Test
    void whatFailsLaterIsSettledThen() {
        for (int i = 0; i < 2; i++) {
            assertThrows(IllegalStateException.class,
                    () -> shop.fluxFails(id).collectList().block());
        }
        assertEquals(2, RUNS.get());
        assertTrue(assertThrows(CompletionException.class,
                () -> shop.laterFails(id).join()).getCause()
                instanceof IllegalStateException);
        assertTrue(assertThrows(CompletionException.class,
                () -> shop.laterFails(id).join()).getCause()
                instanceof FailedBeforeException);
    }

    @Test
    void aFutureThatWasNotDeclaredIsNoValue() {
        IllegalStateException why = assertThrows(
                IllegalStateException.class, () -> shop.undeclared(id));
        assertTrue(why.getMessage().contains("return type"));
    }

    @Test
    void aLeaseIsRenewedWhileTheMethodRuns() throws Exception {
        go = new CountDownLatch(1);
        CompletableFuture<Integer> first =
                CompletableFuture.supplyAsync(() -> {
                    try {
                        return shop.renewed(id);
                    } catch (InterruptedException why) {
                        throw new IllegalStateException(why);
                    }
                });
        TestApp.until(() -> RUNS.get() == 1);
        Thread.sleep(300);
        assertThrows(NotRunException.class, () -> shop.renewed(id));
        go.countDown();
        assertEquals(1, first.join());
    }

    @Test
    void aRecordIsForgottenAfterItsRetention() {
        int first = shop.forgotten(id);
        TestApp.until(() -> shop.forgotten(id) != first);
        assertNotEquals(1, RUNS.get());
    }

    @Test
    void aResultThatWasNotKeptIsNoReplay() {
        shop.big(id);
        assertTrue(assertThrows(NotRunException.class, () -> shop.big(id))
                .getMessage().contains("not kept"));
    }

    // ----------------------------------------------- refused at the start

    static class ReturnsFuture {
        @Idempotent(key = "#p0")
        public Future<String> it(String id) {
            return null;
        }
    }

    static class ReturnsStream {
        @Idempotent(key = "#p0")
        public Stream<String> it(String id) {
            return null;
        }
    }

    static class ReturnsIterator {
        @Idempotent(key = "#p0")
        public Iterator<String> it(String id) {
            return null;
        }
    }

    static class ReturnsPublisher {
        @Idempotent(key = "#p0")
        public Publisher<String> it(String id) {
            return null;
        }
    }

    static class NoExpression {
        @Idempotent(key = "#")
        public String it(String id) {
            return null;
        }
    }

    static class NegativeTime {
        @Idempotent(key = "#p0", expireTime = -1)
        public String it(String id) {
            return null;
        }
    }

    @ParameterizedTest
    @ValueSource(classes = {ReturnsFuture.class, ReturnsStream.class,
        ReturnsIterator.class, ReturnsPublisher.class, NoExpression.class,
        NegativeTime.class})
    void whatCantBeFollowedIsRefusedAtTheStart(Class<?> type) {
        try (AnnotationConfigApplicationContext context =
                new AnnotationConfigApplicationContext()) {
            context.register(App.class, type);
            Throwable why = assertThrows(Exception.class, context::refresh);
            while (why.getCause() != null && why.getCause() != why
                    && !why.getMessage().startsWith("@Idempotent on ")) {
                why = why.getCause();
            }
            assertTrue(why.getMessage().startsWith("@Idempotent on "),
                    why.toString());
            assertTrue(why.getMessage().contains(type.getName()));
        }
    }
}
