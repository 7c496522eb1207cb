// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.idemstore.testing.IdemstoredProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The primary is killed under load, its replica promoted: each ran once. */
class FailoverTest {
    private static final Map<String, Integer> RUNS =
            new ConcurrentHashMap<>();
    private static final int THREADS = 8;
    private static final int JOBS = 500;
    @TempDir
    Path folder;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class App {
        @Bean
        Shop shop() {
            return new Shop();
        }
    }

    static class Shop {
        @Idempotent(key = "#id", waitFor = "30s")
        public String pay(String id) {
            RUNS.merge(id, 1, Integer::sum);
            return id;
        }
    }

    @Test
    void nothingRunsTwice() throws Exception {
        try (IdemstoredProcess a = IdemstoredProcess.builder().args(
                "--threads", "2", "--replication", "sync",
                "--peer-insecure", "--peer-state",
                folder.resolve("a").toString()).start();
                IdemstoredProcess b = IdemstoredProcess.builder().args(
                "--threads", "2", "--replicate-from", a.address(),
                "--peer-insecure", "--peer-state",
                folder.resolve("b").toString()).start();
                TestApp app = TestApp.start(App.class,
                WebApplicationType.NONE, "idemstore.uri=idem://"
                + a.address() + "," + b.address()
                + "/f?timeout_ms=60000")) {
            Shop shop = app.bean(Shop.class);
            shop.pay("first"); // answered: the replica has it
            AtomicInteger jobs = new AtomicInteger();
            AtomicBoolean stop = new AtomicBoolean();
            Queue<String> trouble = new ConcurrentLinkedQueue<>();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                threads.add(new Thread(() -> {
                    while (!stop.get()) {
                        click(shop, "j" + jobs.incrementAndGet(), trouble);
                    }
                }));
            }
            threads.forEach(Thread::start);
            TestApp.until(() -> jobs.get() > JOBS);
            a.kill();
            TestApp.until(() -> promoted(b));
            int then = jobs.get();
            TestApp.until(() -> jobs.get() > then + JOBS);
            stop.set(true);
            for (Thread one : threads) {
                one.join();
            }
            assertEquals(List.of(), List.copyOf(trouble));
            assertEquals(jobs.get() + 1, RUNS.size());
            assertEquals(List.of(), RUNS.entrySet().stream()
                    .filter(one -> one.getValue() != 1).toList());
        }
    }

    /** Each click is a double one. */
    private static void click(Shop shop, String id, Queue<String> trouble) {
        try {
            for (int i = 0; i < 2; i++) {
                if (!shop.pay(id).equals(id)) {
                    trouble.add(id);
                }
            }
        } catch (RuntimeException why) {
            trouble.add(id + " " + why);
        }
    }

    /** [0, 1, "promote", []] */
    private static boolean promoted(IdemstoredProcess of) {
        try (Socket socket = new Socket("127.0.0.1", of.port())) {
            socket.setSoTimeout(60_000);
            socket.getOutputStream().write(
                    "\u0094\0\1\u00a7promote\u0090".getBytes(
                            StandardCharsets.ISO_8859_1));
            byte[] told = new byte[4096];
            int size = socket.getInputStream().read(told);
            return new String(told, 0, size, StandardCharsets.ISO_8859_1)
                    .contains("promoted");
        } catch (IOException why) {
            throw new UncheckedIOException(why);
        }
    }
}
