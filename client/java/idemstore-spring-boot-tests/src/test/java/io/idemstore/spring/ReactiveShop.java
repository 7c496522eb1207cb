// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import io.idemstore.Claim;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.client.ReactorResourceFactory;
import org.springframework.transaction.TransactionSystemException;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ResponseStatusException;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** The WebFlux application of the tests: annotated at /own, filtered at /f. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
class ReactiveShop {
    static final List<String> RUNS = new CopyOnWriteArrayList<>();
    static volatile Sinks.Empty<Void> go = Sinks.empty();

    static int runs(String what) {
        return (int) RUNS.stream().filter(what::equals).count();
    }

    /** Its own: another application's end ends nothing here. */
    @Bean
    ReactorResourceFactory netty() {
        ReactorResourceFactory made = new ReactorResourceFactory();
        made.setUseGlobalResources(false);
        return made;
    }

    @Bean
    ReactivePrincipal who() {
        return exchange -> {
            String user = exchange.getRequest().getHeaders()
                    .getFirst("X-User");
            return user == null ? Mono.just("anyone")
                    : user.equals("nobody") ? Mono.empty() : Mono.just(user);
        };
    }

    @Bean
    RouterFunction<ServerResponse> routed() {
        return RouterFunctions.route().POST("/f/routed", request -> {
            RUNS.add("routed");
            return ServerResponse.ok().bodyValue("routed");
        }).build();
    }

    /** The handlers; the filter and the annotation meet at /f. */
    abstract static class Handlers {
        Mono<ResponseEntity<Map<String, Object>>> paid(
                ServletShop.Order order) {
            return Mono.fromSupplier(() -> {
                RUNS.add(order.id());
                return ResponseEntity.status(201).header("Location", "/1")
                        .header("Set-Cookie", "a=1").header("X-Own", "1")
                        .body(Map.<String, Object>of("paid",
                                order.amount()));
            });
        }

        Mono<ResponseEntity<String>> status(int status) {
            RUNS.add("status " + status);
            return Mono.just(ResponseEntity.status(status)
                    .body("it is " + status));
        }

        Mono<String> slow(ServletShop.Order order) {
            RUNS.add(order.id());
            return go.asMono().thenReturn("done");
        }
    }

    @RestController
    @RequestMapping("/own")
    static class Own extends Handlers {
        @PostMapping("/pay")
        @Idempotent
        Mono<ResponseEntity<Map<String, Object>>> pay(
                @RequestBody ServletShop.Order order) {
            return paid(order);
        }

        @PostMapping("/status/{status}")
        @Idempotent
        Mono<ResponseEntity<String>> answer(@PathVariable int status) {
            return status(status);
        }

        @PostMapping("/slow")
        @Idempotent
        Mono<String> waits(@RequestBody ServletShop.Order order) {
            return slow(order);
        }
    }

    @RestController
    @RequestMapping("/f")
    static class Filtered extends Handlers {
        @PostMapping("/pay")
        Mono<ResponseEntity<Map<String, Object>>> pay(
                @RequestBody ServletShop.Order order) {
            return paid(order);
        }

        @PostMapping("/plain")
        String plain(@RequestBody ServletShop.Order order) {
            RUNS.add("plain");
            return "plain";
        }

        @PostMapping("/status/{status}")
        Mono<ResponseEntity<String>> answer(@PathVariable int status) {
            return status(status);
        }

        @PostMapping("/slow")
        Mono<String> waits(@RequestBody ServletShop.Order order) {
            return slow(order);
        }
    }

    /** Each way to answer. */
    @RestController
    @RequestMapping({"/own/odd", "/f/odd"})
    static class Odd {
        @PostMapping("/nothing")
        @Idempotent
        Mono<ResponseEntity<String>> nothing() {
            RUNS.add("nothing");
            return IdempotentContext.claim().map(claim -> {
                claim.markNothingDone();
                return ResponseEntity.status(503).body("closed");
            });
        }

        @PostMapping("/boom")
        @Idempotent
        Mono<String> boom() {
            RUNS.add("boom");
            return Mono.error(new IllegalStateException("boom"));
        }

        @PostMapping("/thrown")
        @Idempotent
        Mono<String> thrown() {
            RUNS.add("thrown");
            throw new IllegalStateException("boom");
        }

        @PostMapping("/error")
        @Idempotent
        Mono<String> error() {
            RUNS.add("error");
            return Mono.error(new ResponseStatusException(HttpStatus.GONE));
        }

        @PostMapping("/commit-fails")
        @Idempotent
        Mono<String> commitFails() {
            RUNS.add("commit-fails");
            return Mono.error(new TransactionSystemException("failed"));
        }

        @PostMapping("/empty")
        @Idempotent
        Mono<Void> empty() {
            RUNS.add("empty");
            return Mono.empty();
        }

        @PostMapping("/flux")
        @Idempotent
        Flux<Integer> flux() {
            RUNS.add("flux");
            return Flux.range(1, 3).delayElements(Duration.ofMillis(2));
        }

        @PostMapping(path = "/lines",
                produces = MediaType.APPLICATION_NDJSON_VALUE)
        @Idempotent
        Flux<Map<String, Integer>> lines() {
            RUNS.add("lines");
            return Flux.range(1, 3).map(n -> Map.of("n", n));
        }

        @PostMapping(path = "/events",
                produces = MediaType.TEXT_EVENT_STREAM_VALUE)
        @Idempotent
        Flux<String> events() {
            RUNS.add("events");
            return Flux.just("one", "two");
        }

        @PostMapping("/token")
        @Idempotent
        Mono<String> token() {
            RUNS.add("token");
            String here = Claim.current().token().toString();
            return IdempotentContext.claim().map(claim ->
                    here + claim.token().toString().equals(here));
        }

        @PostMapping("/big")
        @Idempotent
        Mono<byte[]> big() {
            RUNS.add("big");
            return Mono.just(new byte[(1 << 20) + 1]);
        }
    }
}
