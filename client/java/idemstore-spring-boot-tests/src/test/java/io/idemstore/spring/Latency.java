// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * What a claim adds to a request, printed: tests/run latency. Requests with and
 * without one take turns. No test: it measures.
 */
class Latency {
    private static final int WARM = 3_000;
    private static final int ROUNDS = 10_000;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class App {
        @Bean
        Doors doors() {
            return new Doors();
        }
    }

    @RestController
    static class Doors {
        @PostMapping("/once")
        @Idempotent
        String once() {
            return "done";
        }

        @PostMapping("/plain")
        String plain() {
            return "done";
        }
    }

    @Test
    void ofAClaim() {
        try (TestApp app = TestApp.start(App.class,
                WebApplicationType.SERVLET)) {
            long[] once = new long[ROUNDS];
            long[] plain = new long[ROUNDS];
            for (int i = -WARM; i < ROUNDS; i++) {
                long first = timed(app, "/once");
                long second = timed(app, "/plain");
                if (i >= 0) {
                    once[i] = first;
                    plain[i] = second;
                }
            }
            Arrays.sort(once);
            Arrays.sort(plain);
            System.out.printf("latency added: p50 %.3f ms, p99 %.3f ms (a "
                    + "request without a claim: p50 %.3f ms)%n",
                    (once[ROUNDS / 2] - plain[ROUNDS / 2]) / 1e6,
                    (once[ROUNDS * 99 / 100] - plain[ROUNDS * 99 / 100])
                    / 1e6, plain[ROUNDS / 2] / 1e6);
        }
    }

    private static long timed(TestApp app, String path) {
        String key = UUID.randomUUID().toString();
        var asked = app.posting(path, key, "{}");
        long start = System.nanoTime();
        assertEquals(200, TestApp.send(asked).statusCode());
        return System.nanoTime() - start;
    }
}
