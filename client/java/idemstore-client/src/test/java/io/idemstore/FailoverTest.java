// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The primary of a pair is killed under load, and its replica promoted: what
 * was to happen once has happened once.
 */
class FailoverTest {
    private static final int JOBS = 1500;
    private static final OnceOptions WAITING = OnceOptions.defaults()
            .acquire(AcquireOptions.defaults().waitFor(
                    Duration.ofSeconds(30)));

    @TempDir
    Path folder;
    private Pair pair;
    private IdemStore store;
    private final Map<String, Integer> runs = new ConcurrentHashMap<>();
    private final Queue<String> trouble = new ConcurrentLinkedQueue<>();
    private final AtomicInteger jobs = new AtomicInteger();
    private final AtomicBoolean stop = new AtomicBoolean();

    @BeforeEach
    void begin() {
        pair = new Pair(folder);
        store = IdemStore.open(pair.uri("f"));
    }

    @AfterEach
    void end() {
        store.close();
        pair.close();
    }

    private String effect(String key) {
        runs.merge(key, 1, Integer::sum);
        return key;
    }

    /** Each asks, one job after another, until it is over. */
    private void underLoad(int count, IntConsumer job)
            throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < count; t++) {
            threads.add(new Thread(() -> {
                while (!stop.get()) {
                    int number = jobs.incrementAndGet();
                    try {
                        job.accept(number);
                    } catch (RuntimeException why) {
                        trouble.add(number + " " + why);
                    }
                }
            }));
        }
        threads.forEach(Thread::start);
        Servers.until(() -> jobs.get() > JOBS);
        pair.failOver();
        int then = jobs.get();
        Servers.until(() -> jobs.get() > then + JOBS);
        stop.set(true);
        for (Thread one : threads) {
            one.join();
        }
    }

    private void judge() {
        assertEquals(List.of(), List.copyOf(trouble));
        assertEquals(jobs.get(), runs.size());
        assertEquals(List.of(), runs.entrySet().stream()
                .filter(one -> one.getValue() != 1).toList());
        assertEquals(pair.b.address(), store.status().primary());
        assertEquals(1, store.status().follows());
    }

    @Test
    void threads() throws InterruptedException {
        underLoad(8, number -> {
            String key = "t" + number;
            for (int click = 0; click < 2; click++) {
                assertEquals(key, store.once(Key.of(key), WAITING,
                        Codec.text(), () -> effect(key)));
            }
        });
        judge();
    }

    @Test
    void futures() throws InterruptedException {
        underLoad(4, number -> {
            String key = "a" + number;
            List<CompletableFuture<String>> clicks = new ArrayList<>();
            for (int click = 0; click < 2; click++) {
                clicks.add(store.onceAsync(Key.of(key), WAITING,
                        Codec.text(), () ->
                        CompletableFuture.completedFuture(effect(key))));
            }
            clicks.forEach(one -> assertEquals(key, one.join()));
        });
        judge();
    }

    @Test
    void aClaimThatIsHeldOverAFailoverIsCompleted() {
        Key key = Key.of("held");
        String told = store.once(key, OnceOptions.defaults().acquire(
                AcquireOptions.defaults().lease(Duration.ofSeconds(3))),
                Codec.text(), () -> {
                    pair.failOver();
                    return "done";
                });
        assertEquals("done", told);
        assertEquals("done", store.once(key, Codec.text(), () -> "again"));
        assertEquals(1, store.peek(key).attempt());
    }

    @Test
    void aStoppedPrimaryIsLeftForThePromotedOne() {
        store.once(Key.of("before"), Codec.text(), () -> "1");
        pair.a.pause();
        pair.promote();
        assertEquals("2", store.once(Key.of("k"), Codec.text(), () -> "2"));
        assertEquals("1", store.once(Key.of("before"), Codec.text(),
                () -> "3"));
        assertEquals(pair.b.address(), store.status().primary());
        Servers.until(() -> store.status().losses() > 0);
    }
}
