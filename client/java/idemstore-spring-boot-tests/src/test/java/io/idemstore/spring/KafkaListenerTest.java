// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.AcquireOptions;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.IdemStore;
import io.idemstore.Key;
import java.lang.reflect.Constructor;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.annotation.EnableKafka;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.PartitionOffset;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.listener.CommonErrorHandler;

/** Kafka's own container and error handler, over its clients' doubles. */
class KafkaListenerTest {
    private static final TopicPartition PAY = new TopicPartition("pay", 0);
    private static final List<String> RUNS = new CopyOnWriteArrayList<>();
    private static final List<ConsumerRecord<String, String>> LOG =
            new CopyOnWriteArrayList<>();
    private static MockConsumer<String, String> consumer;
    private static MockProducer<Object, Object> producer;
    private static TestApp app;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableKafka
    static class App {
        @Bean
        Payments payments() {
            return new Payments();
        }

        @Bean
        ConcurrentKafkaListenerContainerFactory<String, String>
                kafkaListenerContainerFactory(CommonErrorHandler errors) {
            ConcurrentKafkaListenerContainerFactory<String, String> made =
                    new ConcurrentKafkaListenerContainerFactory<>();
            made.setCommonErrorHandler(errors);
            made.setConsumerFactory(new DefaultKafkaConsumerFactory<>(
                    Map.of("group.id", "g")) {
                @Override
                protected Consumer<String, String> createKafkaConsumer(
                        String group, String prefix, String suffix,
                        java.util.Properties properties) {
                    return consumer;
                }
            });
            return made;
        }

        @Bean
        KafkaTemplate<Object, Object> template() {
            ProducerFactory<Object, Object> one = new ProducerFactory<>() {
                @Override
                public Producer<Object, Object> createProducer() {
                    return producer;
                }
            };
            return new KafkaTemplate<>(one);
        }
    }

    static class Payments {
        @Idempotent(key = "#record.key()", fingerprint = "#record.value()",
                scope = Scope.NONE)
        @KafkaListener(topicPartitions =
                @org.springframework.kafka.annotation.TopicPartition(
                        topic = "pay", partitionOffsets = @PartitionOffset(
                        partition = "0", initialOffset = "0")))
        public void pay(ConsumerRecord<String, String> record) {
            RUNS.add(record.key() + "@" + Claim.current().attempt());
            if (record.value().equals("fails once")
                    && Claim.current().attempt() == 1) {
                throw new IllegalStateException("no account");
            }
        }
    }

    /** Where it is told to go back it delivers again. */
    private static final class Log {
        private Log() {
        }

        @SuppressWarnings("unchecked")
        static MockConsumer<String, String> consumer() throws Exception {
            for (Constructor<?> one : MockConsumer.class.getConstructors()) {
                Class<?>[] types = one.getParameterTypes();
                if (types.length == 1) { // Kafka 3 has an enum, 4 a text
                    Object earliest = types[0] == String.class ? "earliest"
                            : types[0].getField("EARLIEST").get(null);
                    return (MockConsumer<String, String>)
                            one.newInstance(earliest);
                }
            }
            throw new IllegalStateException("MockConsumer has changed");
        }

        static void append(String key, String value) {
            LOG.add(new ConsumerRecord<>("pay", 0, LOG.size(), key, value));
        }

        /** Feeds what is at the position, after each poll. */
        static void feed() {
            consumer.schedulePollTask(Log::feed);
            if (!consumer.assignment().contains(PAY)) {
                return;
            }
            long at = consumer.position(PAY);
            if (at < LOG.size()) {
                consumer.addRecord(LOG.get((int) at));
            }
        }
    }

    @BeforeAll
    static void start() throws Exception {
        consumer = Log.consumer();
        consumer.updateBeginningOffsets(Map.of(PAY, 0L));
        consumer.updateEndOffsets(Map.of(PAY, 0L));
        consumer.schedulePollTask(Log::feed);
        producer = new MockProducer<Object, Object>(true, null, (topic,
                data) -> new byte[0], (topic, data) -> new byte[0]) {
            @Override
            public List<org.apache.kafka.common.PartitionInfo> partitionsFor(
                    String topic) {
                return List.of(new org.apache.kafka.common.PartitionInfo(
                        topic, 0, null, null, null));
            }
        };
        app = TestApp.start(App.class, WebApplicationType.NONE,
                "idemstore.listeners.wait-for=100ms");
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    private static long committed() {
        var at = consumer.committed(java.util.Set.of(PAY)).get(PAY);
        return at == null ? 0 : at.offset();
    }

    @Test
    void theConsumersRules() {
        // Sent twice by its producer: one effect, both acknowledged.
        Log.append("a", "5 eur");
        Log.append("a", "5 eur");
        TestApp.until(() -> committed() == 2);
        assertEquals(List.of("a@1"), RUNS);
        // Another message under its key: the dead letters.
        Log.append("a", "6 eur");
        TestApp.until(() -> committed() == 3);
        assertEquals(List.of("a@1"), RUNS);
        assertEquals(1, producer.history().size());
        assertTrue(producer.history().get(0).topic().toLowerCase()
                .endsWith("dlt"));
        // It fails: released, not acknowledged, delivered again.
        Log.append("f", "fails once");
        TestApp.until(() -> committed() == 4);
        assertEquals(List.of("a@1", "f@1", "f@2"), RUNS);
        // In progress elsewhere: delivered again until it is done there.
        IdemStore store = app.bean(IdemStore.class);
        Acquired other = (Acquired) store.acquire(Key.of("b"),
                AcquireOptions.defaults().lease(Duration.ofSeconds(3)));
        Claim held = store.hold(Key.of("b"), other, true);
        Log.append("b", "5 eur");
        TestApp.until(() -> app.bean(IdempotencyCounts.class)
                .of(IdempotencyCounts.What.IN_PROGRESS) > 0);
        assertEquals(4, committed());
        store.complete(Key.of("b"), other.token(), null);
        held.close();
        // It is delivered again when that lease would be over.
        TestApp.until(() -> committed() == 5);
        assertEquals(3, RUNS.size());
    }
}
