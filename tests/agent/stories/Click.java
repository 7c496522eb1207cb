// SPDX-License-Identifier: Apache-2.0

import io.idemstore.AcquireOptions;
import io.idemstore.Codec;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import io.idemstore.OnceOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** Clicks twice on everything, from threads: see double_click.c. */
public final class Click {
    private static final int THREADS = 8;
    private static final OnceOptions WAITING = OnceOptions.defaults().acquire(
            AcquireOptions.defaults().waitFor(Duration.ofSeconds(60)));

    private static final Map<Integer, Integer> RUNS = new ConcurrentHashMap<>();
    private static final Queue<String> TROUBLES = new ConcurrentLinkedQueue<>();
    private static final AtomicInteger BEGUN = new AtomicInteger();
    private static final AtomicInteger ANSWERED = new AtomicInteger();
    private static volatile boolean ended;

    private Click() {
    }

    private static void clickOn(IdemStore store, int thing) {
        try {
            String told = store.once(Key.of("thing-" + thing), WAITING,
                    Codec.text(), () -> {
                        RUNS.merge(thing, 1, Integer::sum);
                        return "did " + thing;
                    });
            if (!told.equals("did " + thing)) {
                TROUBLES.add("thing-" + thing + ": " + told);
            }
        } catch (RuntimeException why) {
            TROUBLES.add("thing-" + thing + ": " + why);
        }
    }

    private static void pause() {
        try {
            Thread.sleep(2);
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
        }
    }

    private static void awaitEnd() {
        try {
            System.in.readAllBytes();
        } catch (IOException why) {
            TROUBLES.add(why.toString());
        }
        ended = true;
    }

    private static void clickAway(IdemStore store) {
        while (!ended && TROUBLES.isEmpty()) {
            // Two after each other go to two threads.
            clickOn(store, BEGUN.getAndIncrement() / 2);
            int done = ANSWERED.incrementAndGet();
            if (done % 50 == 0) {
                System.out.println("done " + done);
            }
            pause(); // the store is what is tried, not the machine
        }
    }

    public static void main(String[] args) throws Exception {
        int things;
        int wrong = 0;
        try (IdemStore store = IdemStore.open(System.getenv("STORES"))) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                threads.add(new Thread(() -> clickAway(store)));
            }
            threads.forEach(Thread::start);
            Thread reader = new Thread(Click::awaitEnd);
            reader.setDaemon(true);
            reader.start();
            for (Thread one : threads) {
                one.join();
            }
            things = BEGUN.get() / 2;
            for (int thing = 0; thing < things; thing++) {
                clickOn(store, thing); // later on nothing of it is run again
                wrong += RUNS.getOrDefault(thing, 0) == 1 ? 0 : 1;
            }
        }
        System.out.println(things + " things, " + wrong
                + " of them not run once, troubles: "
                + TROUBLES.stream().limit(5).toList());
        System.exit(wrong > 0 || !TROUBLES.isEmpty() || things == 0 ? 1 : 0);
    }
}
