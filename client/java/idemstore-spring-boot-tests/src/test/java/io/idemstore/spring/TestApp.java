// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import io.idemstore.testing.IdemstoredProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** A Spring Boot application of a test's own, over the real daemon. */
final class TestApp implements AutoCloseable {
    private static final AtomicInteger SPACES = new AtomicInteger();
    private static final String BOOT =
            "org.springframework.boot.";
    /** What the class path has for one test alone; Boot 3's and 4's names. */
    private static final List<String> EXCLUDED = List.of(
            "security.autoconfigure.SecurityAutoConfiguration",
            "security.autoconfigure.UserDetailsServiceAutoConfiguration",
            "security.autoconfigure.web.servlet."
            + "ServletWebSecurityAutoConfiguration",
            "security.autoconfigure.web.servlet."
            + "SecurityFilterAutoConfiguration",
            "security.autoconfigure.web.reactive."
            + "ReactiveWebSecurityAutoConfiguration",
            "security.autoconfigure.actuate.web.servlet."
            + "ManagementWebSecurityAutoConfiguration",
            "security.autoconfigure.actuate.web.reactive."
            + "ReactiveManagementWebSecurityAutoConfiguration",
            "security.autoconfigure.ReactiveUserDetailsServiceAuto"
            + "Configuration",
            "artemis.autoconfigure.ArtemisAutoConfiguration",
            "amqp.autoconfigure.RabbitAutoConfiguration",
            "jms.autoconfigure.JmsAutoConfiguration",
            "autoconfigure.security.servlet.SecurityAutoConfiguration",
            "autoconfigure.security.servlet.UserDetailsServiceAuto"
            + "Configuration",
            "autoconfigure.security.servlet.SecurityFilterAutoConfiguration",
            "actuate.autoconfigure.security.servlet."
            + "ManagementWebSecurityAutoConfiguration",
            "actuate.autoconfigure.security.reactive."
            + "ReactiveManagementWebSecurityAutoConfiguration",
            "autoconfigure.security.reactive.ReactiveSecurityAuto"
            + "Configuration",
            "autoconfigure.security.reactive.ReactiveUserDetailsServiceAuto"
            + "Configuration",
            "autoconfigure.jms.artemis.ArtemisAutoConfiguration",
            "autoconfigure.jms.JmsAutoConfiguration",
            "autoconfigure.amqp.RabbitAutoConfiguration",
            "autoconfigure.kafka.KafkaAutoConfiguration");

    /** One daemon for all tests of this process. */
    private static final class Daemon {
        static final IdemstoredProcess ONE = IdemstoredProcess.builder()
                .args("--threads", "2").start();
    }

    static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(30)).build();

    final ConfigurableApplicationContext context;
    private final int port;

    private TestApp(ConfigurableApplicationContext context) {
        this.context = context;
        this.port = context.getEnvironment()
                .getProperty("local.server.port", Integer.class, 0);
    }

    static String freshUri() {
        return Daemon.ONE.uri("t" + SPACES.incrementAndGet());
    }

    /** @param properties NAME=VALUE */
    static TestApp start(Class<?> configuration, WebApplicationType type,
            String... properties) {
        return start(false, configuration, type, properties);
    }

    /** With what the class path has for the listeners and security. */
    static TestApp startWhole(Class<?> configuration, WebApplicationType type,
            String... properties) {
        return start(true, configuration, type, properties);
    }

    private static TestApp start(boolean isWhole, Class<?> configuration,
            WebApplicationType type, String... properties) {
        List<String> all = new ArrayList<>(List.of("server.port=0",
                "server.address=127.0.0.1", "spring.main.banner-mode=off",
                "idemstore.uri=" + freshUri(), "spring.jmx.enabled=false",
                "server.shutdown=immediate",
                "spring.lifecycle.timeout-per-shutdown-phase=1s",
                "logging.level.root=OFF"));
        if (!isWhole) {
            all.add("spring.autoconfigure.exclude=" + String.join(",",
                    EXCLUDED.stream().map(BOOT::concat).filter(
                            TestApp::isThere).toList()));
        }
        for (String one : properties) { // twice the same would be a list
            String name = one.substring(0, one.indexOf('=') + 1);
            all.removeIf(other -> other.startsWith(name));
            all.add(one);
        }
        return new TestApp(new SpringApplicationBuilder(configuration)
                .web(type).registerShutdownHook(false)
                .run(all.stream().map("--"::concat).toArray(String[]::new)));
    }

    private static boolean isThere(String type) {
        return TestApp.class.getClassLoader().getResource(
                type.replace('.', '/') + ".class") != null;
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + port + path))
                .timeout(Duration.ofSeconds(60));
    }

    /** POSTs JSON. */
    HttpResponse<String> post(String path, String key, String body,
            String... headers) {
        return send(posting(path, key, body, headers));
    }

    HttpRequest posting(String path, String key, String body,
            String... headers) {
        HttpRequest.Builder made = request(path)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        if (key != null) {
            made.header("Idempotency-Key", key);
        }
        for (int i = 0; i < headers.length; i += 2) {
            made.setHeader(headers[i], headers[i + 1]);
        }
        return made.build();
    }

    static HttpResponse<String> send(HttpRequest request) {
        try {
            return HTTP.send(request, HttpResponse.BodyHandlers
                    .ofString(StandardCharsets.UTF_8));
        } catch (IOException why) {
            throw new UncheckedIOException(why);
        } catch (InterruptedException why) {
            throw new IllegalStateException(why);
        }
    }

    static CompletableFuture<HttpResponse<String>> sendLater(
            HttpRequest request) {
        return HTTP.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    }

    static String header(HttpResponse<?> answer, String name) {
        return answer.headers().firstValue(name).orElse(null);
    }

    static boolean isReplay(HttpResponse<?> answer) {
        return header(answer, "Idempotency-Replayed") != null;
    }

    /** Patient: a busy machine is not a fault. */
    static void until(BooleanSupplier so) {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!so.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("it did not come about in 60 s");
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException why) {
                throw new IllegalStateException(why);
            }
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
