// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.idemstore.testing.IdemstoredProcess;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The two example applications as they run, beside the one in C: the double
 * click across them, and idemconform against both.
 */
class ExamplesTest {
    private static final String EACH = "test-classes|spring-boot-security|"
            + "spring-security|artemis|jms|kafka|rabbit|amqp|mockito|junit|"
            + "spring-boot-starter-test|spring-test|spring-boot-test|";
    private static final String NOT_SERVLET = EACH + "points-reactive";
    private static final String NOT_REACTIVE = EACH + "points-servlet|webmvc|"
            + "tomcat|servlet|jdbc|/h2|HikariCP";
    private static final String BODY = "{\"user\":\"ann\",\"cost\":10}";
    private static final String BUILD = System.getenv("IDEMSTORE_BUILD");

    private static IdemstoredProcess daemon;
    private static Service servlet;
    private static Service reactive;
    @TempDir
    private static Path folder;

    /** A program that says at which port it listens. */
    private static final class Service implements AutoCloseable {
        final Process process;
        final Path log;
        int port;

        Service(String name, List<String> command, Pattern said)
                throws Exception {
            log = folder.resolve(name + ".log");
            process = new ProcessBuilder(command).redirectErrorStream(true)
                    .redirectOutput(log.toFile()).start();
            Runtime.getRuntime().addShutdownHook(
                    new Thread(process::destroyForcibly));
            TestApp.until(() -> {
                assertTrue(process.isAlive(), this::said);
                Matcher found = said.matcher(said());
                port = found.find() ? Integer.parseInt(found.group(1)) : 0;
                return port != 0;
            });
        }

        String said() {
            try {
                return Files.readString(log);
            } catch (IOException why) {
                return why.toString();
            }
        }

        HttpRequest clicking(String key, String... headers) {
            HttpRequest.Builder made = HttpRequest.newBuilder(
                    URI.create("http://127.0.0.1:" + port + "/match"))
                    .header("Content-Type", "application/json")
                    .header("Idempotency-Key", key)
                    .POST(HttpRequest.BodyPublishers.ofString(BODY));
            for (int i = 0; i < headers.length; i += 2) {
                made.header(headers[i], headers[i + 1]);
            }
            return made.build();
        }

        HttpResponse<String> click(String key) {
            return TestApp.send(clicking(key));
        }

        String played() {
            return TestApp.send(HttpRequest.newBuilder(URI.create(
                    "http://127.0.0.1:" + port + "/matches")).build())
                    .body();
        }

        @Override
        public void close() throws Exception {
            process.destroy();
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        }
    }

    private static Service example(String kind, String without, String space,
            String... more) throws Exception {
        String all = System.getProperty("surefire.test.class.path",
                System.getProperty("java.class.path"));
        Pattern unwanted = Pattern.compile(without);
        String path = Arrays.stream(all.split(File.pathSeparator))
                .filter(one -> !unwanted.matcher(one).find())
                .collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java")
                        .toString(), "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "-cp", path,
                "io.idemstore.examples." + kind + ".PointsApplication",
                "--server.port=0", "--idemstore.uri=" + daemon.uri(space),
                "--idemstore.lease=3s"));
        command.addAll(List.of(more));
        return new Service(kind + space, command,
                Pattern.compile("started on port (\\d+)"));
    }

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(BUILD != null, "IDEMSTORE_BUILD names no build");
        daemon = IdemstoredProcess.builder().args("--threads", "2").start();
        servlet = example("servlet", NOT_SERVLET, "one");
        reactive = example("reactive", NOT_REACTIVE, "one");
    }

    @AfterAll
    static void stop() throws Exception {
        if (daemon != null) {
            servlet.close();
            reactive.close();
            daemon.close();
        }
    }

    private static void sameClick(Service one, Service other, String key) {
        HttpResponse<String> first = one.click(key);
        HttpResponse<String> again = other.click(key);
        assertEquals(200, first.statusCode(), first.body());
        assertEquals(200, again.statusCode(), again.body());
        assertEquals(first.body(), again.body());
        assertEquals(contentType(first), contentType(again));
        assertTrue(TestApp.header(again, "Idempotency-Replayed")
                .startsWith("true"));
    }

    /** Tomcat writes its parameters without a blank. */
    private static String contentType(HttpResponse<?> answer) {
        return TestApp.header(answer, "Content-Type").replace(" ", "");
    }

    private static void atOnce(Service one, Service other, String key) {
        List<CompletableFuture<HttpResponse<String>>> both = List.of(
                TestApp.sendLater(one.clicking(key, "X-Rehearse",
                        "sleep-700")),
                TestApp.sendLater(other.clicking(key, "X-Rehearse",
                        "sleep-700")));
        List<Integer> told = both.stream().map(CompletableFuture::join)
                .map(HttpResponse::statusCode).sorted().toList();
        assertEquals(200, told.get(0));
        assertTrue(told.get(1) == 409 || told.get(1) == 200);
    }

    @Test
    void oneClickAtEachOfThem() throws Exception {
        sameClick(servlet, reactive, "a");
        sameClick(reactive, servlet, "b");
        atOnce(servlet, reactive, "c");
        Path inC = Path.of(BUILD, "examples", "points_service");
        assumeTrue(Files.exists(inC), "there is no build of the C examples");
        try (Service c = new Service("c", List.of(inC.toString(), "--store",
                daemon.uri("one"), "--ledger",
                folder.resolve("ledger").toString(), "--rehearse"),
                Pattern.compile("127\\.0\\.0\\.1:(\\d+)"))) {
            sameClick(c, servlet, "d");
            sameClick(servlet, c, "e");
            sameClick(c, reactive, "f");
            atOnce(c, servlet, "g");
        }
    }

    /** Where client/node's tests have brought its packages. */
    @Test
    void andOneInNode() throws Exception {
        Path packages = Path.of(BUILD).toAbsolutePath().getParent()
                .resolve("node-env").resolve("node_modules");
        assumeTrue(Files.exists(packages.resolve("express"))
                && Files.exists(packages.resolve("@idemstore/client")),
                "there are no packages for Node");
        try (Service node = new Service("node", List.of("/usr/bin/env",
                "NODE_PATH=" + packages,
                "IDEMSTORE_URI=" + daemon.uri("one"), "PORT=0",
                "POINTS_FILE=" + folder.resolve("node.log"), "node",
                Path.of("..", "..", "node", "examples", "points_express.js")
                        .toString()),
                Pattern.compile("127\\.0\\.0\\.1:(\\d+)"))) {
            sameClick(node, servlet, "h");
            sameClick(servlet, node, "i");
            sameClick(reactive, node, "j");
            atOnce(node, reactive, "k");
        }
    }

    @Test
    void bothHoldTheHeadersRules() throws Exception {
        List<Service> services = List.of(
                example("servlet", NOT_SERVLET, "two", "--points.users=true"),
                example("reactive", NOT_REACTIVE, "two",
                        "--points.users=true"));
        List<Process> runs = new ArrayList<>();
        for (Service one : services) {
            String root = "http://127.0.0.1:" + one.port;
            runs.add(new ProcessBuilder(
                    Path.of(BUILD, "idemconform").toString(), "http",
                    "--yes", "--hold", "3000ms", "--jobs", "8", "--header",
                    "X-User: conform", "--other-user", "X-User: other",
                    "--header", "Content-Type: application/json", "--slow",
                    "X-Rehearse: sleep-{ms}", "--fail", "X-Rehearse: fail",
                    "--crash", "X-Rehearse: crash", "--body",
                    "{\"user\":\"a\",\"cost\":{n}}", "--count",
                    root + "/matches", "--count-pointer", "/played",
                    "--strict", root + "/match").redirectErrorStream(true)
                    .redirectOutput(folder.resolve(one.port + ".said")
                            .toFile()).start());
        }
        for (int i = 0; i < runs.size(); i++) {
            int code = runs.get(i).waitFor();
            String said = Files.readString(
                    folder.resolve(services.get(i).port + ".said"));
            assertEquals(0, code, said + services.get(i).said());
            assertTrue(said.contains("26 cases: 26 passed"), said);
            services.get(i).close();
        }
    }
}
