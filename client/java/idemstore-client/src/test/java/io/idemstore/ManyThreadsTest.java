// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.reflect.Method;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** One store for very many threads; virtual ones where Java has them. */
class ManyThreadsTest {
    private final AtomicInteger executed = new AtomicInteger();
    private final Queue<String> trouble = new ConcurrentLinkedQueue<>();

    private void doubleClicks(ExecutorService threads, int count)
            throws InterruptedException {
        try (IdemStore store = IdemStore.open(Servers.shared().uri(
                Servers.namespace()) + "?timeout_ms=60000")) {
            for (int i = 0; i < count; i++) {
                Key key = Key.of("k" + i / 2);
                threads.submit(() -> click(store, key));
            }
            threads.shutdown();
            threads.awaitTermination(5, TimeUnit.MINUTES);
            assertEquals(List.of(), List.copyOf(trouble));
            assertEquals(count / 2, executed.get());
            assertEquals(2, store.status().connections());
        }
    }

    private void click(IdemStore store, Key key) {
        try {
            OnceOptions waiting = OnceOptions.defaults().acquire(
                    AcquireOptions.defaults().waitFor(
                            java.time.Duration.ofSeconds(60)));
            String told = store.once(key, waiting, Codec.text(), () -> {
                executed.incrementAndGet();
                Thread.sleep(20);
                return "done";
            });
            if (!told.equals("done")) {
                trouble.add(key + " " + told);
            }
        } catch (Exception why) {
            trouble.add(key + " " + why);
        }
    }

    @Test
    void threads() throws InterruptedException {
        doubleClicks(Executors.newFixedThreadPool(300), 2000);
    }

    @Test
    void tenThousandVirtualThreads() throws Exception {
        Method made = null;
        try {
            made = Executors.class.getMethod(
                    "newVirtualThreadPerTaskExecutor");
        } catch (NoSuchMethodException why) {
            assumeTrue(false, "this Java has no virtual threads: "
                    + Runtime.version());
        }
        doubleClicks((ExecutorService) made.invoke(null), 10_000);
    }
}
