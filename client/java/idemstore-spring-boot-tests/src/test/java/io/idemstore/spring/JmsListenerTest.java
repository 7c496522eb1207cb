// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.idemstore.Claim;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import io.idemstore.Previous;
import io.idemstore.State;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.core.settings.impl.AddressSettings;
import org.apache.activemq.artemis.api.core.SimpleString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jms.annotation.EnableJms;
import org.springframework.jms.annotation.JmsListener;
import org.springframework.jms.config.JmsListenerEndpointRegistry;
import org.springframework.jms.core.JmsTemplate;

/** Listeners on a real broker: Artemis in this process. */
class JmsListenerTest {
    private static final String LEASE = "2s";
    private static TestApp app;
    private static Path file;
    private static String uri;
    @TempDir
    private static Path folder;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableJms
    static class App {
        @Bean
        Payments payments() {
            return new Payments();
        }
    }

    /** What it does is a line in a file, whichever process it is in. */
    static class Payments {
        @Idempotent(key = "#text.split(' ')[0]", fingerprint = "#text",
                scope = Scope.NONE, lease = LEASE)
        @JmsListener(id = "pay", destination = "pay")
        public void pay(String text) throws IOException {
            Path to = Path.of(System.getProperty("payments"));
            Claim claim = Claim.current();
            boolean isAgain = claim.previous() == Previous.ORPHANED;
            if (isAgain && lines(to).contains(text)) {
                return; // it looks before it leaps: the effect is there
            }
            if (text.endsWith("fails") && claim.attempt() == 1) {
                throw new IllegalStateException("no account");
            }
            Files.writeString(to, text + "\n", StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
            if (Boolean.getBoolean("dies")) {
                Runtime.getRuntime().halt(9); // before it is completed
            }
        }

        static List<String> lines(Path from) throws IOException {
            return Files.exists(from) ? Files.readAllLines(from) : List.of();
        }
    }

    /** Another process with the same listener. */
    public static final class Child {
        private Child() {
        }

        public static void main(String[] args) {
            SpringApplication made = new SpringApplication(App.class);
            made.setWebApplicationType(WebApplicationType.NONE);
            made.run(args);
        }
    }

    @BeforeAll
    static void start() {
        uri = TestApp.freshUri();
        file = folder.resolve("payments");
        System.setProperty("payments", file.toString());
        app = TestApp.startWhole(App.class, WebApplicationType.NONE,
                "spring.artemis.mode=embedded",
                "spring.artemis.embedded.persistent=false",
                "spring.artemis.embedded.queues=pay,DLQ",
                "spring.jms.listener.auto-startup=false",
                "spring.jms.template.receive-timeout=60s",
                "idemstore.uri=" + uri,
                "idemstore.listeners.wait-for=1s");
        app.bean(EmbeddedActiveMQ.class).getActiveMQServer()
                .getAddressSettingsRepository().addMatch("#",
                        new AddressSettings().setMaxDeliveryAttempts(20)
                                .setRedeliveryDelay(50)
                                .setDeadLetterAddress(
                                        SimpleString.of("DLQ")));
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    private static void listen() {
        app.bean(JmsListenerEndpointRegistry.class)
                .getListenerContainer("pay").start();
    }

    private static State state(String key) {
        return app.bean(IdemStore.class).peek(Key.of(key)).state();
    }

    private static long messages(String queue) {
        return app.bean(EmbeddedActiveMQ.class).getActiveMQServer()
                .locateQueue(queue).getMessageCount();
    }

    @Test
    void aConsumerThatIsKilledAndTheRules() throws Exception {
        JmsTemplate queue = app.bean(JmsTemplate.class);
        // Killed between its effect and its complete.
        queue.convertAndSend("pay", "k 5 eur");
        assertEquals(9, dies());
        assertEquals(List.of("k 5 eur"), Payments.lines(file));
        // Its message comes again, to whoever listens: one effect.
        listen();
        TestApp.until(() -> state("k") == State.COMPLETED);
        TestApp.until(() -> messages("pay") == 0);
        assertEquals(2, app.bean(IdemStore.class).peek(Key.of("k"))
                .attempt());
        assertEquals(List.of("k 5 eur"), Payments.lines(file));
        // Sent twice: acknowledged, and nothing happens.
        queue.convertAndSend("pay", "k 5 eur");
        TestApp.until(() -> messages("pay") == 0);
        // It fails: released, delivered again.
        queue.convertAndSend("pay", "f fails");
        TestApp.until(() -> state("f") == State.COMPLETED);
        // Another message under its key: dead letters, after the broker's
        // own count of attempts.
        queue.convertAndSend("pay", "k 6 eur");
        assertNotNull(queue.receiveAndConvert("DLQ"));
        assertEquals(List.of("k 5 eur", "f fails"), Payments.lines(file));
    }

    private static int dies() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        app.bean(EmbeddedActiveMQ.class).getActiveMQServer()
                .getRemotingService().createAcceptor("tcp",
                        "tcp://127.0.0.1:" + port).start();
        Process child = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java")
                        .toString(), "-XX:TieredStopAtLevel=1",
                "-Ddies=true", "-Dpayments=" + file, "-cp",
                System.getProperty("surefire.test.class.path",
                        System.getProperty("java.class.path")),
                Child.class.getName(), "--spring.artemis.mode=native",
                "--spring.artemis.broker-url=tcp://127.0.0.1:" + port,
                "--logging.level.root=ERROR", "--idemstore.uri=" + uri)
                .inheritIO().start();
        if (!child.waitFor(120, TimeUnit.SECONDS)) {
            child.destroyForcibly();
        }
        return child.waitFor();
    }
}
