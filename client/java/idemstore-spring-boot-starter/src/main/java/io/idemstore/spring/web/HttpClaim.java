// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.HttpAnswer.Fate;
import io.idemstore.HttpAnswer.Header;
import io.idemstore.HttpAnswer.Origin;
import io.idemstore.HttpProblem;
import io.idemstore.spring.Failure;
import io.idemstore.spring.core.CommitFailures;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Settlement;
import io.idemstore.NothingDoneException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A claim whose end is a request's answer. Asks nobody. */
final class HttpClaim {
    /** What is stored of a failure that nobody has written an answer for. */
    static final HttpAnswer FAILED = new HttpAnswer(500,
            List.of(new Header("content-type", "text/plain;charset=utf-8")),
            "Internal Server Error".getBytes(StandardCharsets.US_ASCII));

    private final WebPolicy policy;
    private final Held held;
    private final Rule rule;
    private final Capture capture;
    private final int bytesMax;
    private volatile boolean isUnknown;
    private volatile boolean isNothingDone;

    /** @param rule null: the filter's own */
    HttpClaim(WebPolicy policy, Held held, Rule rule, int bytesMax) {
        this.policy = policy;
        this.held = held;
        this.rule = rule;
        this.bytesMax = bytesMax;
        this.capture = new Capture(bytesMax);
    }

    Held held() {
        return held;
    }

    Capture capture() {
        return capture;
    }

    /** Whether its answer is of no interest. */
    boolean isExpiring() {
        return rule != null && rule.isExpiring();
    }

    void failed(Throwable why) {
        isUnknown |= CommitFailures.is(why) || why instanceof Error;
        for (Throwable at = why; at != null; at = at.getCause()) {
            isNothingDone |= rule == null ? at instanceof NothingDoneException
                    : rule.saysNothingDone(at);
        }
    }

    /** Its outcome is not known: the lease ends it. */
    void unknown() {
        isUnknown = true;
    }

    /** @param began whether a handler has begun, as far as is known */
    Settlement settlement(int status, List<Header> headers, boolean began) {
        if (isExpiring()) {
            return rule.expiring(held);
        }
        Origin origin = isUnknown ? Origin.LOST
                : isNothingDone || held.claim().isNothingDone()
                ? Origin.RETRYABLE : began ? Origin.HANDLER : Origin.BEFORE;
        return switch (HttpAnswer.fate(status, origin, onFailure())) {
            case STORE -> Settlement.complete(HttpAnswer.pack(status, headers,
                    capture.body(), policy.keep(), bytesMax));
            case RELEASE -> Settlement.unbind();
            case LEAVE -> Settlement.leave();
        };
    }

    private Fate onFailure() {
        Failure said = rule == null ? policy.onFailure()
                : rule.onFailure(policy.onFailure());
        return switch (said) {
            case RELEASE -> Fate.RELEASE;
            case LEAVE -> Fate.LEAVE;
            default -> Fate.STORE;
        };
    }

    /** Of an answer that nobody wrote. */
    Settlement failedWithoutAnswer(boolean began) {
        capture.clear();
        capture.add(FAILED.body(), 0, FAILED.body().length);
        return settlement(FAILED.status(), FAILED.headers(), began);
    }

    /** What is to be said in the answer's place, or null. */
    HttpAnswer trouble(Held.Told told) {
        return isExpiring() ? null : switch (told) {
            case RECORDED -> null;
            case STALE -> HttpProblem.STALE.answer();
            case UNKNOWN -> HttpProblem.NOT_RECORDED.answer();
        };
    }
}
