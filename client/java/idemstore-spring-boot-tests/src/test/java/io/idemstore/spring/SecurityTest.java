// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Base64;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.method.configuration.EnableMethodSecurity;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** Behind the filter that authenticates, inside of method security. */
class SecurityTest {
    private static final AtomicInteger RUNS = new AtomicInteger();
    private static TestApp app;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableMethodSecurity
    static class App {
        @Bean
        Doors doors() {
            return new Doors();
        }

        @Bean
        Vault vault() {
            return new Vault();
        }

        @Bean
        SecurityFilterChain chain(HttpSecurity http) throws Exception {
            return http.csrf(csrf -> csrf.disable())
                    .authorizeHttpRequests(all ->
                            all.anyRequest().authenticated())
                    .httpBasic(Customizer.withDefaults()).build();
        }

        @Bean
        UserDetailsService users() {
            return new InMemoryUserDetailsManager(List.of(
                    User.withUsername("ann").password("{noop}a")
                            .roles("TELLER").build(),
                    User.withUsername("eve").password("{noop}e")
                            .roles("GUEST").build()));
        }
    }

    static class Vault {
        @Idempotent(key = "#id")
        @PreAuthorize("hasRole('TELLER')")
        public String open(String id) {
            RUNS.incrementAndGet();
            return "the code is 4711";
        }
    }

    @RestController
    static class Doors {
        @PostMapping("/own")
        @Idempotent(scope = Scope.NONE)
        @PreAuthorize("hasRole('TELLER')")
        public String own() {
            RUNS.incrementAndGet();
            return "the code is 4711";
        }

        @PostMapping("/f")
        @PreAuthorize("hasRole('TELLER')")
        public String filtered() {
            RUNS.incrementAndGet();
            return "the code is 4711";
        }
    }

    @BeforeAll
    static void start() {
        app = TestApp.startWhole(App.class, WebApplicationType.SERVLET,
                "idemstore.http.principal=user", "idemstore.http.paths=/f");
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    @AfterEach
    void leave() {
        SecurityContextHolder.clearContext();
        RUNS.set(0);
    }

    private static void enter(String role) {
        SecurityContextHolder.getContext().setAuthentication(
                new TestingAuthenticationToken("x", "x", "ROLE_" + role));
    }

    private static String basic(String user) {
        return "Basic " + Base64.getEncoder().encodeToString(
                (user + ":" + user.charAt(0)).getBytes());
    }

    @Test
    void aStrangerGetsNoReplayOfAService() {
        Vault vault = app.bean(Vault.class);
        String id = UUID.randomUUID().toString();
        enter("TELLER");
        assertEquals("the code is 4711", vault.open(id));
        assertEquals("the code is 4711", vault.open(id));
        enter("GUEST");
        assertThrows(AccessDeniedException.class, () -> vault.open(id));
        assertEquals(1, RUNS.get());
    }

    @Test
    void aStrangerGetsNoReplayOfAnAnswer() {
        for (String path : List.of("/own", "/f")) {
            RUNS.set(0);
            String key = UUID.randomUUID().toString();
            for (int i = 0; i < 2; i++) {
                assertEquals("the code is 4711", app.post(path, key, "",
                        "Authorization", basic("ann")).body());
            }
            assertEquals(403, app.post(path, key, "", "Authorization",
                    basic("eve")).statusCode());
            assertEquals(401, app.post(path, key, "").statusCode());
            assertEquals(1, RUNS.get());
            // and what was refused before the handler is not its answer
            assertEquals(403, app.post(path, key + "-eve", "",
                    "Authorization", basic("eve")).statusCode());
            assertEquals("the code is 4711", app.post(path, key + "-eve", "",
                    "Authorization", basic("ann")).body());
        }
    }
}
