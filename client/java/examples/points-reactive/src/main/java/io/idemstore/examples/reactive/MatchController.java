// SPDX-License-Identifier: Apache-2.0
package io.idemstore.examples.reactive;

import io.idemstore.Claim;
import io.idemstore.spring.Idempotent;
import io.idemstore.spring.IdempotentContext;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;
import reactor.core.publisher.Mono;

/**
 * The header X-Rehearse makes a handler slow or makes it fail: sleep-MS, fail
 * (nothing was done), crash (after the points were taken).
 */
@RestController
public class MatchController {
    private static final int SLEEP_MS_MAX = 60_000;

    /** Stands for the service's own database. */
    private final AtomicLong played = new AtomicLong();

    /** What is asked. */
    public record Match(String user, int cost) {
    }

    @PostMapping("/match")
    @Idempotent
    public Mono<ResponseEntity<Map<String, Object>>> match(
            @RequestBody Match asked,
            @RequestHeader(name = "X-Rehearse", defaultValue = "")
            String rehearse) {
        int sleepMs = rehearse.startsWith("sleep-") ? Math.min(
                Integer.parseInt(rehearse.substring(6)), SLEEP_MS_MAX) : 0;
        return Mono.delay(Duration.ofMillis(sleepMs))
                .then(IdempotentContext.claim())
                .map(claim -> play(asked, rehearse, claim));
    }

    private ResponseEntity<Map<String, Object>> play(Match asked,
            String rehearse, Claim claim) {
        if (rehearse.equals("fail")) {
            claim.markNothingDone();
            return ResponseEntity.status(503).body(Map.of("error",
                    "no opponent was found, and nothing was taken"));
        }
        played.incrementAndGet();
        if (rehearse.equals("crash")) {
            throw new IllegalStateException("after the points were taken");
        }
        return ResponseEntity.ok(Map.of("user", asked.user(), "cost",
                asked.cost(), "id", claim.token().toString()));
    }

    @GetMapping("/matches")
    public Map<String, Long> matches() {
        return Map.of("played", played.get());
    }
}
