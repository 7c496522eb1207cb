// SPDX-License-Identifier: Apache-2.0
package io.idemstore.testing;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * For tests of whoever uses idemstore: the real daemon, on a port of its own.
 * It ends with this process, however that ends.
 *
 * <pre>
 * try (IdemstoredProcess daemon = IdemstoredProcess.start();
 *         IdemStore store = IdemStore.open(daemon.uri("shop"))) { ... }
 * </pre>
 */
public final class IdemstoredProcess implements AutoCloseable {
    private static final Pattern PORT =
            Pattern.compile("listening on 127\\.0\\.0\\.1:([0-9]+)");
    private static final int LINES_MAX = 1000;
    private static final long START_S = 60;

    private final Process process;
    private final int port;
    private final Path scratch;
    private final ConcurrentLinkedDeque<String> said =
            new ConcurrentLinkedDeque<>();
    /** Its pid, and its port. */
    private final CountDownLatch listening = new CountDownLatch(2);
    private volatile int heardPort;
    private volatile long pid;

    private IdemstoredProcess(Builder from) {
        try {
            scratch = Files.createTempDirectory("idemstored");
            process = new ProcessBuilder(command(from))
                    .redirectErrorStream(true).start();
        } catch (IOException why) {
            throw new UncheckedIOException("idemstored can't be started", why);
        }
        Runtime.getRuntime().addShutdownHook(
                new Thread(process::destroyForcibly));
        Thread reader = new Thread(this::read, "idemstored-log");
        reader.setDaemon(true);
        reader.start();
        port = waitForPort();
    }

    /** With one thread, on a free port, in memory. */
    public static IdemstoredProcess start() {
        return builder().start();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Which flags the daemon gets. */
    public static final class Builder {
        private final List<String> args = new ArrayList<>();
        private int port;
        private Path path;

        private Builder() {
        }

        /** Further flags: idemstored --help names them. */
        public Builder args(String... more) {
            args.addAll(List.of(more));
            return this;
        }

        /** 0: a free one. */
        public Builder port(int number) {
            port = number;
            return this;
        }

        /** Null: IDEMSTORED in the environment, or idemstored on PATH. */
        public Builder path(Path program) {
            path = program;
            return this;
        }

        /** @throws IllegalStateException it does not come up, and why */
        public IdemstoredProcess start() {
            return new IdemstoredProcess(this);
        }
    }

    /**
     * IDEMSTORED in the environment, or idemstored on the PATH.
     *
     * @throws IllegalStateException there is none
     */
    public static Path find() {
        String named = System.getenv("IDEMSTORED");
        if (named != null && !named.isEmpty()) {
            return Path.of(named);
        }
        String folders = System.getenv().getOrDefault("PATH", "");
        for (String folder : folders.split(File.pathSeparator)) {
            Path program = Path.of(folder, "idemstored");
            if (Files.isExecutable(program)) {
                return program;
            }
        }
        throw new IllegalStateException("there is no idemstored: install it, "
                + "or set IDEMSTORED to its path");
    }

    /**
     * A shell watches over it: it holds the other end of a pipe from this
     * process, and kills the daemon when that end closes.
     */
    private List<String> command(Builder from) {
        Path program = from.path == null ? find() : from.path;
        List<String> made = new ArrayList<>(List.of("/bin/sh", "-c",
                "exec 3<&0; \"$@\" </dev/null 3<&- & daemon=$!; "
                + "{ cat <&3 >/dev/null; kill -9 $daemon; } 2>/dev/null & "
                + "exec 3<&-; echo pid $daemon; wait $daemon; "
                + "code=$?; kill $! 2>/dev/null; exit $code",
                "idemstored", program.toString(), "--listen",
                "127.0.0.1:" + from.port));
        made.addAll(from.args);
        return made;
    }

    private void read() {
        try (BufferedReader lines = process.inputReader(
                StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null;
                    line = lines.readLine()) {
                heard(line);
            }
        } catch (IOException why) {
            // it has ended
        }
        listening.countDown();
        listening.countDown();
    }

    private void heard(String line) {
        if (line.startsWith("pid ") && pid == 0) {
            pid = Long.parseLong(line.substring(4));
            listening.countDown();
            return;
        }
        said.add(line);
        if (said.size() > LINES_MAX) {
            said.poll();
        }
        Matcher found = PORT.matcher(line);
        if (heardPort == 0 && found.find()) {
            heardPort = Integer.parseInt(found.group(1));
            listening.countDown();
        }
    }

    private int waitForPort() {
        try {
            boolean spoke = listening.await(START_S, TimeUnit.SECONDS);
            if (spoke && heardPort != 0) {
                return heardPort;
            }
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
        }
        kill();
        throw new IllegalStateException("idemstored does not come up; it "
                + "says:\n" + log());
    }

    public int port() {
        return port;
    }

    /** "127.0.0.1:PORT". */
    public String address() {
        return "127.0.0.1:" + port;
    }

    /** For IdemStore.open. */
    public String uri(String namespace) {
        return "idem://" + address() + "/" + namespace;
    }

    /** What it said last. */
    public String log() {
        return String.join("\n", said);
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** At once, without a farewell: kill -9. */
    public void kill() {
        signal("-9");
        end();
    }

    /** Stops it as a machine that hangs: kill -STOP; resume goes on. */
    public void pause() {
        signal("-STOP");
    }

    public void resume() {
        signal("-CONT");
    }

    private void signal(String what) {
        if (pid == 0) {
            process.destroyForcibly();
            return;
        }
        try {
            new ProcessBuilder("kill", what, Long.toString(pid))
                    .redirectErrorStream(true).start().waitFor();
        } catch (IOException why) {
            throw new UncheckedIOException(why);
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
        }
    }

    private void end() {
        try {
            if (!process.waitFor(START_S, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
        }
        removeScratch();
    }

    /** A folder of its own, which goes with it: for --data-dir and files. */
    public Path scratch() {
        return scratch;
    }

    private void removeScratch() {
        try (Stream<Path> all = Files.walk(scratch)) {
            all.sorted(Comparator.reverseOrder())
                    .forEach(one -> one.toFile().delete());
        } catch (IOException | UncheckedIOException why) {
            // it is gone, or the system's to clean
        }
    }

    /** Ends it, and waits for its end. */
    @Override
    public void close() {
        if (process.isAlive()) {
            signal("-CONT");
            signal("-TERM");
        }
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                signal("-9");
            }
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
        }
        end();
    }
}
