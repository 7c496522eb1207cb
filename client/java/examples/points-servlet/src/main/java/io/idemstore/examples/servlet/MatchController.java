// SPDX-License-Identifier: Apache-2.0
package io.idemstore.examples.servlet;

import io.idemstore.Claim;
import io.idemstore.spring.Idempotent;
import java.util.Map;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

/**
 * The header X-Rehearse makes a handler slow or makes it fail: sleep-MS, fail
 * (nothing was done), crash (after the points were taken).
 */
@RestController
public class MatchController {
    private static final int SLEEP_MS_MAX = 60_000;

    private final Ledger ledger;

    public MatchController(Ledger ledger) {
        this.ledger = ledger;
    }

    /** What is asked. */
    public record Match(String user, int cost) {
    }

    @PostMapping("/match")
    @Idempotent
    public ResponseEntity<Map<String, Object>> match(@RequestBody Match asked,
            @RequestHeader(name = "X-Rehearse", defaultValue = "")
            String rehearse) throws InterruptedException {
        if (rehearse.startsWith("sleep-")) {
            Thread.sleep(Math.min(Integer.parseInt(rehearse.substring(6)),
                    SLEEP_MS_MAX));
        }
        Claim claim = Claim.current();
        if (rehearse.equals("fail")) {
            claim.markNothingDone();
            return ResponseEntity.status(503).body(Map.of("error",
                    "no opponent was found, and nothing was taken"));
        }
        String token = claim.token().toString();
        ledger.take(asked.user(), asked.cost(), token);
        if (rehearse.equals("crash")) {
            throw new IllegalStateException("after the points were taken");
        }
        return ResponseEntity.ok(Map.of("user", asked.user(), "cost",
                asked.cost(), "id", token));
    }

    @GetMapping("/matches")
    public Map<String, Long> matches() {
        return Map.of("played", ledger.played());
    }
}
