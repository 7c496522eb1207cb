// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.Mockito.mock;

import com.rabbitmq.client.Channel;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.commons.logging.LogFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageBuilder;
import org.springframework.amqp.rabbit.annotation.EnableRabbit;
import org.springframework.amqp.rabbit.annotation.RabbitListener;
import org.springframework.amqp.rabbit.config.SimpleRabbitListenerContainerFactory;
import org.springframework.amqp.rabbit.connection.ConnectionFactory;
import org.springframework.amqp.rabbit.listener.AbstractMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.RabbitListenerEndpointRegistry;
import org.springframework.amqp.rabbit.listener.api.ChannelAwareMessageListener;
import org.springframework.amqp.rabbit.support.ListenerExecutionFailedException;
import org.springframework.amqp.rabbit.listener.support.ContainerUtils;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * The listener as Rabbit's container calls it, in this process and without a
 * broker; what the container would do with the message is asked of its own
 * rule.
 */
class RabbitListenerTest {
    private static final List<String> RUNS = new CopyOnWriteArrayList<>();
    private static TestApp app;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableRabbit
    static class App {
        @Bean
        Payments payments() {
            return new Payments();
        }

        @Bean
        SimpleRabbitListenerContainerFactory rabbitListenerContainerFactory() {
            SimpleRabbitListenerContainerFactory made =
                    new SimpleRabbitListenerContainerFactory();
            made.setConnectionFactory(mock(ConnectionFactory.class));
            made.setAutoStartup(false);
            return made;
        }
    }

    static class Payments {
        @Idempotent(key = "#message.messageProperties.messageId",
                fingerprint = "#message.body", scope = Scope.NONE)
        @RabbitListener(id = "pay", queues = "pay")
        public void pay(Message message) {
            String body = new String(message.getBody());
            RUNS.add(body + "@" + Claim.current().attempt());
            if (body.equals("fails") && Claim.current().attempt() == 1) {
                throw new IllegalStateException("no account");
            }
        }
    }

    @BeforeAll
    static void start() {
        app = TestApp.start(App.class, WebApplicationType.NONE,
                "idemstore.listeners.wait-for=50ms",
                "idemstore.listeners.pause-max=20ms");
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    /** Null: acknowledged. TRUE: delivered again. FALSE: dead letters. */
    private static Boolean deliver(TestApp to, String id, String body)
            throws Exception {
        AbstractMessageListenerContainer container =
                (AbstractMessageListenerContainer) to.bean(
                        RabbitListenerEndpointRegistry.class)
                        .getListenerContainer("pay");
        Message message = MessageBuilder.withBody(body.getBytes())
                .setMessageId(id).build();
        try {
            ((ChannelAwareMessageListener) container.getMessageListener())
                    .onMessage(message, mock(Channel.class));
            return null;
        } catch (ListenerExecutionFailedException why) {
            return ContainerUtils.shouldRequeue(true, why,
                    LogFactory.getLog(RabbitListenerTest.class));
        }
    }

    @Test
    void theConsumersRules() throws Exception {
        assertNull(deliver(app, "a", "5 eur"));
        assertNull(deliver(app, "a", "5 eur"));
        assertEquals(List.of("5 eur@1"), RUNS);
        assertFalse(deliver(app, "a", "6 eur"));
        assertTrue(deliver(app, "f", "fails"));
        assertNull(deliver(app, "f", "fails"));
        assertEquals(List.of("5 eur@1", "fails@1", "fails@2"), RUNS);
        IdemStore store = app.bean(IdemStore.class);
        Acquired other = (Acquired) store.acquire(Key.of("b"));
        assertTrue(deliver(app, "b", "7 eur"));
        store.complete(Key.of("b"), other.token(), null);
        assertNull(deliver(app, "b", "7 eur"));
        assertEquals(3, RUNS.size());
        try (TestApp away = TestApp.start(App.class, WebApplicationType.NONE,
                "idemstore.listeners.wait-for=50ms",
                "idemstore.listeners.pause-max=20ms",
                "idemstore.uri=idem://127.0.0.1:1?timeout_ms=200")) {
            assertTrue(deliver(away, "c", "7 eur"));
        }
        assertEquals(3, RUNS.size());
    }
}
