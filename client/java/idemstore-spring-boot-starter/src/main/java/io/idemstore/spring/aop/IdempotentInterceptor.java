// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.spring.IdempotencyProperties;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Exchange;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.ListenerKind;
import io.idemstore.spring.core.ReturnKind;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Rules;
import io.idemstore.spring.core.Unavailable;
import java.util.function.Supplier;
import org.aopalliance.intercept.MethodInterceptor;
import org.aopalliance.intercept.MethodInvocation;
import org.springframework.util.ClassUtils;

/** Around each method that @Idempotent or the web filter covers. */
public final class IdempotentInterceptor implements MethodInterceptor {
    private static final boolean HAS_REACTOR = ClassUtils.isPresent(
            "reactor.core.publisher.Mono",
            IdempotentInterceptor.class.getClassLoader());

    private final Rules rules;
    private final Supplier<Exchange> exchanges;
    private final ListenerRules listeners;
    private final ValueFlow values;
    private final HttpFlow http;
    private final Object reactor;

    /** @param exchanges this thread's web request, or null */
    public IdempotentInterceptor(Claims claims, Rules rules,
            IdempotencyProperties properties, Supplier<Exchange> exchanges) {
        this.rules = rules;
        this.exchanges = exchanges;
        Unavailable unavailable =
                new Unavailable(properties, claims.counts());
        listeners = new ListenerRules(
                properties.getListeners().getPauseMax());
        values = new ValueFlow(claims);
        http = new HttpFlow(claims, values, unavailable);
        reactor = HAS_REACTOR ? new ReactorFlow(claims, values, unavailable)
                : null;
    }

    @Override
    public Object invoke(MethodInvocation call) throws Throwable {
        Rule rule = rules.of(call.getMethod(), call.getThis().getClass());
        Exchange exchange = exchanges.get();
        if (exchange != null && (rule == null || rule.isHandler())) {
            exchange.began();
        }
        if (rule == null) {
            return HAS_REACTOR && exchange == null
                    ? ((ReactorFlow) reactor).mark(call)
                    : held(exchange, call);
        }
        if (rule.isHandler() && exchange != null) {
            return exchange.isHeld() ? held(exchange, call)
                    : http.run(rule, call, exchange);
        }
        if (rule.kind() == ReturnKind.MONO || rule.kind() == ReturnKind.FLUX) {
            return ((ReactorFlow) reactor).run(rule, call);
        }
        HttpAsk ask = exchange != null && rule.needsHeader()
                ? exchange.ask(rule) : null;
        return rule.listener() == ListenerKind.NONE
                ? values.run(rule, call, ask)
                : listeners.deliver(rule, () -> values.run(rule, call, ask));
    }

    /** The filter has claimed it, or it is not covered. */
    private static Object held(Exchange exchange, MethodInvocation call)
            throws Throwable {
        Object value = call.proceed();
        return exchange == null ? value
                : HttpFlow.within(exchange.held(), value);
    }
}
