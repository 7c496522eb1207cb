// SPDX-License-Identifier: Apache-2.0
package io.idemstore.bench;

import com.sun.management.OperatingSystemMXBean;
import io.idemstore.AcquireOptions;
import io.idemstore.Acquired;
import io.idemstore.IdemStore;
import io.idemstore.IdemStoreOptions;
import io.idemstore.Key;
import io.idemstore.testing.IdemstoredProcess;
import io.lettuce.core.RedisClient;
import io.lettuce.core.SetArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Compare [ROUNDS] [JOBS]: this client beside Lettuce, from one run, in turns.
 *
 * <p>The job is the same for both: acquire and complete (36-byte key, 32-byte
 * fingerprint, 200-byte result); SET NX PX, then SET XX PX. One idemstored with
 * one thread, one redis-server. Calls a second, microseconds of this process's
 * own CPU a call (which other work on the machine leaves intact), p50 of a
 * call.
 */
public final class Compare {
    private static final byte[] RESULT = new byte[200];
    private static final byte[] PRINT = new byte[32];
    private static final long LEASE_MS = 30_000;
    private static final long TTL_MS = 86_400_000;
    private static final AcquireOptions ASKED = AcquireOptions.defaults()
            .fingerprint(PRINT).lease(Duration.ofMillis(LEASE_MS))
            .ttl(Duration.ofMillis(TTL_MS));
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean();

    private final IdemStore store;
    /** Its futures complete on its own thread, as Lettuce's do. */
    private final IdemStore futures;
    private final StatefulRedisConnection<byte[], byte[]> redis;
    private int jobs;

    private Compare(IdemStore store, IdemStore futures,
            StatefulRedisConnection<byte[], byte[]> redis) {
        this.store = store;
        this.futures = futures;
        this.redis = redis;
    }

    private static byte[] key() {
        return UUID.randomUUID().toString()
                .getBytes(StandardCharsets.US_ASCII);
    }

    private void idem() {
        Key key = Key.of(key());
        Acquired claim = (Acquired) store.acquire(key, ASKED);
        store.complete(key, claim.token(), RESULT);
    }

    private void redis() {
        byte[] key = key();
        if (!"OK".equals(redis.sync().set(key, PRINT,
                SetArgs.Builder.nx().px(LEASE_MS)))) {
            throw new IllegalStateException("not a new key");
        }
        redis.sync().set(key, RESULT, SetArgs.Builder.xx().px(TTL_MS));
    }

    private CompletionStage<?> idemLater() {
        Key key = Key.of(key());
        return futures.acquireAsync(key, ASKED).thenCompose(answer ->
                futures.completeAsync(key, ((Acquired) answer).token(),
                        RESULT));
    }

    private CompletionStage<?> redisLater() {
        byte[] key = key();
        return redis.async().set(key, PRINT,
                SetArgs.Builder.nx().px(LEASE_MS)).thenCompose(told ->
                redis.async().set(key, RESULT,
                        SetArgs.Builder.xx().px(TTL_MS)));
    }

    /** Of one way to call. */
    private static final class Figures {
        private final List<Double> rates = new ArrayList<>();
        private final List<Double> costs = new ArrayList<>();
        private final List<Double> halves = new ArrayList<>();

        private static double median(List<Double> of) {
            return of.stream().sorted().skip(of.size() / 2).findFirst()
                    .orElse(0.0);
        }
    }

    /** Runs all jobs; took[i] is nanoseconds. */
    private interface Run {
        void run(long[] took) throws Exception;
    }

    private void measure(Figures figures, Run run) throws Exception {
        long[] took = new long[jobs];
        long cpu = SYSTEM.getProcessCpuTime();
        long wall = System.nanoTime();
        run.run(took);
        double wallS = (System.nanoTime() - wall) / 1e9;
        double cpuUs = (SYSTEM.getProcessCpuTime() - cpu) / 1e3;
        Arrays.sort(took);
        figures.rates.add(2 * jobs / wallS);
        figures.costs.add(cpuUs / jobs / 2);
        figures.halves.add(took[jobs / 2] / 2 / 1e3);
    }

    private Run threads(int count, Runnable job) {
        return took -> {
            AtomicInteger next = new AtomicInteger();
            List<Thread> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                Thread one = new Thread(() -> {
                    for (int at = next.getAndIncrement(); at < took.length;
                            at = next.getAndIncrement()) {
                        long start = System.nanoTime();
                        job.run();
                        took[at] = System.nanoTime() - start;
                    }
                });
                one.start();
                all.add(one);
            }
            for (Thread one : all) {
                one.join();
            }
        };
    }

    /** So many under way at a time. */
    private Run futures(int count,
            java.util.function.Supplier<CompletionStage<?>> job) {
        return took -> {
            Semaphore room = new Semaphore(count);
            CompletableFuture<?>[] all = new CompletableFuture<?>[took.length];
            for (int i = 0; i < took.length; i++) {
                int at = i;
                room.acquire();
                long start = System.nanoTime();
                all[i] = job.get().toCompletableFuture()
                        .whenComplete((told, why) -> {
                            took[at] = System.nanoTime() - start;
                            room.release();
                        });
            }
            CompletableFuture.allOf(all).join();
        };
    }

    private Map<String, Run[]> ways() {
        Map<String, Run[]> made = new LinkedHashMap<>();
        for (int count : new int[] {1, 8, 64}) {
            made.put(count == 1 ? "1 thread" : count + " threads",
                    new Run[] {threads(count, this::idem),
                        threads(count, this::redis)});
        }
        made.put("64 futures", new Run[] {futures(64, this::idemLater),
            futures(64, this::redisLater)});
        return made;
    }

    private void compare(int rounds, int jobsEach) throws Exception {
        Map<String, Run[]> ways = ways();
        Map<String, Figures[]> figures = new LinkedHashMap<>();
        for (int round = -2; round < rounds; round++) {
            jobs = jobsEach;
            for (Map.Entry<String, Run[]> way : ways.entrySet()) {
                Figures[] pair = figures.computeIfAbsent(way.getKey(),
                        name -> new Figures[] {new Figures(), new Figures()});
                for (int i = 0; i < 2; i++) {
                    // The first two rounds warm the compiler up.
                    measure(round < 0 ? new Figures() : pair[i],
                            way.getValue()[i]);
                }
            }
        }
        show(figures);
        System.out.printf("%d rounds of %d jobs, medians; Java %s; idemstored "
                + "and redis-server with one thread each%n", rounds, jobsEach,
                System.getProperty("java.version"));
    }

    private static void show(Map<String, Figures[]> figures) {
        System.out.printf("%-11s %29s   %29s   %13s%n", "",
                "idemstore-client", "Lettuce", "ratio");
        System.out.printf("%-11s %9s %9s %9s   %9s %9s %9s   %6s %6s%n", "",
                "calls/s", "us CPU", "p50 us", "calls/s", "us CPU", "p50 us",
                "calls", "CPU");
        figures.forEach((name, pair) -> {
            double[] f = new double[6];
            for (int i = 0; i < 2; i++) {
                f[3 * i] = Figures.median(pair[i].rates);
                f[3 * i + 1] = Figures.median(pair[i].costs);
                f[3 * i + 2] = Figures.median(pair[i].halves);
            }
            System.out.printf("%-11s %9.0f %9.1f %9.0f   %9.0f %9.1f %9.0f   "
                    + "%6.2f %6.2f%n", name, f[0], f[1], f[2], f[3], f[4],
                    f[5], f[0] / f[3], f[1] / f[4]);
        });
    }

    // --------------------------------------------------------- redis-server

    private static int freePort() throws IOException {
        try (ServerSocket one = new ServerSocket(0, 1,
                InetAddress.getLoopbackAddress())) {
            return one.getLocalPort();
        }
    }

    private static Process redisServer(int port, Path folder)
            throws IOException {
        Process made = new ProcessBuilder("redis-server", "--port",
                Integer.toString(port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", folder.toString())
                .redirectOutput(new File("/dev/null")).start();
        Runtime.getRuntime().addShutdownHook(
                new Thread(made::destroyForcibly));
        return made;
    }

    private static StatefulRedisConnection<byte[], byte[]> connect(
            RedisClient client) throws InterruptedException {
        for (int left = 200;; left--) {
            try {
                return client.connect(ByteArrayCodec.INSTANCE);
            } catch (RuntimeException why) {
                if (left == 0) {
                    throw why;
                }
                Thread.sleep(50);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 5;
        int jobs = args.length > 1 ? Integer.parseInt(args[1]) : 20_000;
        int port = freePort();
        Path folder = Files.createTempDirectory("compare");
        Process redisServer = redisServer(port, folder);
        RedisClient client = RedisClient.create("redis://127.0.0.1:" + port);
        try (IdemstoredProcess daemon = IdemstoredProcess.builder()
                .args("--threads", "1").start();
                IdemStore store = IdemStore.open(daemon.uri("b"));
                IdemStore futures = IdemStore.open(IdemStoreOptions.builder(
                        daemon.uri("b")).executor(Runnable::run).build());
                StatefulRedisConnection<byte[], byte[]> redis =
                        connect(client)) {
            new Compare(store, futures, redis).compare(rounds, jobs);
        } finally {
            client.shutdown();
            redisServer.destroy();
            Files.deleteIfExists(folder);
        }
    }
}
