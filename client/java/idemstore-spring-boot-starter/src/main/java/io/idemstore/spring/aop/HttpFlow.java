// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.AcquireAnswer;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.Key;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Exchange;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.Invoked;
import io.idemstore.spring.core.Refusal;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Unavailable;
import java.util.concurrent.Callable;
import org.aopalliance.intercept.MethodInvocation;

/**
 * A controller's handler behind the servlet filter: the aspect claims, inside
 * of method security; the filter settles with the whole answer.
 */
final class HttpFlow {
    private final Claims claims;
    private final ValueFlow values;
    private final Unavailable unavailable;

    HttpFlow(Claims claims, ValueFlow values, Unavailable unavailable) {
        this.claims = claims;
        this.values = values;
        this.unavailable = unavailable;
    }

    Object run(Rule rule, MethodInvocation call, Exchange exchange)
            throws Throwable {
        Held held = claim(rule, call, exchange);
        if (held == null) {
            return call.proceed();
        }
        exchange.hold(held, rule);
        try (Claim.Scope scope = held.enter()) {
            return within(held, call.proceed());
        } catch (Throwable why) {
            exchange.failed(why);
            throw why;
        }
    }

    /** Null: it runs without a claim. */
    private Held claim(Rule rule, MethodInvocation call, Exchange exchange) {
        try {
            HttpAsk ask = exchange.ask(rule);
            Invoked invoked = ValueFlow.invoked(call);
            Key key = rule.key(ask, invoked);
            AcquireAnswer answer =
                    claims.acquire(key, rule.ask(ask, invoked));
            if (answer instanceof Acquired acquired) {
                return values.hold(rule, key, acquired);
            }
            throw new Refusal(rule.answer(answer));
        } catch (IdemException why) {
            if (unavailable.mayPass(why)) {
                return null;
            }
            throw new Refusal(HttpProblem.of(why));
        }
    }

    /** Its claim is current there, too. */
    static Object within(Held held, Object value) {
        if (held == null || !(value instanceof Callable<?> work)) {
            return value;
        }
        return (Callable<Object>) () -> {
            try (Claim.Scope scope = held.enter()) {
                return work.call();
            }
        };
    }
}
