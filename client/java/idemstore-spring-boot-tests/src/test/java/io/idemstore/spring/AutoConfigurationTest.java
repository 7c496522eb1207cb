// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.springframework.test.web.servlet.request.MockMvcRequestBuilders.post;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.header;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.status;

import io.idemstore.IdemStore;
import io.idemstore.InMemoryIdemStore;
import io.idemstore.spring.autoconfigure.IdempotencyAutoConfiguration;
import io.idemstore.spring.autoconfigure.IdempotencyMetricsAutoConfiguration;
import io.idemstore.spring.test.AutoConfigureIdempotency;
import io.idemstore.spring.web.IdempotencyFilter;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.test.web.servlet.MockMvc;
import org.springframework.test.web.servlet.setup.MockMvcBuilders;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.WebApplicationContext;

/** What an application gets, and what it is refused. */
class AutoConfigurationTest {
    private static final AtomicInteger RUNS = new AtomicInteger();

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Whole {
        @Bean
        Pays pays() {
            return new Pays();
        }
    }

    @RestController
    static class Pays {
        @PostMapping("/pay")
        @Idempotent
        String pay(@RequestBody String body) {
            return "run " + RUNS.incrementAndGet();
        }

        @PostMapping("/fails")
        @Idempotent
        String fails(@RequestBody String body) {
            RUNS.incrementAndGet();
            throw new IllegalStateException("no account");
        }
    }

    @Test
    void healthAndMetersOfAnApplication() {
        try (TestApp app = TestApp.start(Whole.class,
                WebApplicationType.SERVLET,
                "management.endpoint.health.show-details=always",
                "management.endpoints.web.exposure.include=health,metrics")) {
            app.post("/pay", "k", "5 eur");
            app.post("/pay", "k", "5 eur");
            app.post("/pay", "k", "6 eur");
            HttpResponse<String> health = TestApp.send(
                    app.request("/actuator/health").build());
            assertEquals(200, health.statusCode(), health.body());
            assertTrue(health.body().contains("\"idemstore\""),
                    health.body());
            assertTrue(health.body().contains("\"letThrough\":0"),
                    health.body());
            for (String one : List.of("claims?tag=outcome:acquired",
                    "claims?tag=outcome:replay",
                    "claims?tag=outcome:mismatch",
                    "ends?tag=how:completed")) {
                String told = TestApp.send(app.request(
                        "/actuator/metrics/idemstore." + one).build())
                        .body();
                assertTrue(told.contains("\"value\":1.0"), told);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"SERVLET", "REACTIVE"})
    void whoForgetsThePrincipalIsRefused(String type) {
        Throwable why = assertThrows(Exception.class, () -> TestApp.start(
                Whole.class, WebApplicationType.valueOf(type),
                "idemstore.http.principal=",
                "idemstore.http.paths=/pay").close());
        while (why.getCause() != null) {
            why = why.getCause();
        }
        assertTrue(why.getMessage().contains("who is authenticated")
                || why.getMessage().contains("must return Mono"),
                why.toString());
    }

    private static final ApplicationContextRunner PLAIN =
            new ApplicationContextRunner().withConfiguration(
                    AutoConfigurations.of(IdempotencyAutoConfiguration.class,
                            IdempotencyMetricsAutoConfiguration.class));

    @Test
    void onlyWhatIsAskedForIsThere() {
        PLAIN.withPropertyValues("idemstore.enabled=false")
                .run(context -> assertFalse(
                        context.containsBean("idemStore")));
        PLAIN.withPropertyValues("idemstore.in-memory=true").run(context -> {
            assertTrue(context.getBean(IdemStore.class)
                    instanceof InMemoryIdemStore);
            SimpleMeterRegistry meters = new SimpleMeterRegistry();
            context.getBean(MeterBinder.class).bindTo(meters);
            assertNotNull(meters.find("idemstore.claims")
                    .tag("outcome", "replay").functionCounter());
        });
    }

    /** As a slice's test has it: no container, no daemon. */
    @Test
    void aSliceHasTheDouble() throws Exception {
        assertTrue(AnnotatedElementUtils.hasAnnotation(
                AutoConfigureIdempotency.class, org.springframework.boot
                        .autoconfigure.ImportAutoConfiguration.class));
        RUNS.set(0);
        try (TestApp app = TestApp.start(Sliced.class,
                WebApplicationType.SERVLET)) {
            assertTrue(app.bean(IdemStore.class)
                    instanceof InMemoryIdemStore);
            MockMvc mvc = MockMvcBuilders.webAppContextSetup(
                    (WebApplicationContext) app.context)
                    .addFilters(app.bean(IdempotencyFilter.class)).build();
            for (int i = 0; i < 2; i++) {
                mvc.perform(post("/pay").header("Idempotency-Key", "k")
                        .content("5 eur")).andExpect(status().isOk());
            }
            mvc.perform(post("/pay").header("Idempotency-Key", "k")
                    .content("6 eur")).andExpect(status().is(422));
            mvc.perform(post("/pay").content("5 eur"))
                    .andExpect(status().isBadRequest());
            assertEquals(1, RUNS.get());
            assertThrows(Exception.class, () -> mvc.perform(post("/fails")
                    .header("Idempotency-Key", "k").content("5 eur")));
            mvc.perform(post("/fails").header("Idempotency-Key", "k")
                    .content("5 eur")).andExpect(status().is(500))
                    .andExpect(header().string("idempotency-replayed",
                            "true"));
            assertEquals(2, RUNS.get());
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @AutoConfigureIdempotency
    static class Sliced {
        @Bean
        Pays pays() {
            return new Pays();
        }
    }

    @Test
    void itsPropertiesAreDescribed() throws Exception {
        try (InputStream in = IdempotencyProperties.class.getResourceAsStream(
                "/META-INF/spring-configuration-metadata.json")) {
            String all = new String(in.readAllBytes(),
                    StandardCharsets.UTF_8);
            for (String one : List.of("idemstore.uri", "idemstore.scope",
                    "idemstore.order", "idemstore.http.header",
                    "idemstore.http.principal",
                    "idemstore.listeners.wait-for")) {
                assertTrue(all.contains("\"" + one + "\""), one);
            }
        }
    }
}
