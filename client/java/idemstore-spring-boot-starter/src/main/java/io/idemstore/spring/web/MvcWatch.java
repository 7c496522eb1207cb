// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.spring.core.Refusal;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Rules;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Modifier;
import org.springframework.core.Ordered;
import org.springframework.web.context.request.async.AsyncRequestTimeoutException;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.servlet.HandlerExceptionResolver;
import org.springframework.web.servlet.HandlerInterceptor;
import org.springframework.web.servlet.ModelAndView;

/**
 * What Spring MVC tells about a request: which handler it has, how it failed.
 * Before the arguments of an annotated handler are bound its body is recorded.
 */
public final class MvcWatch implements HandlerInterceptor,
        HandlerExceptionResolver, Ordered {
    private final Rules rules;
    private final boolean marksHandlers;

    /** @param marksHandlers whether each handler tells when it begins */
    public MvcWatch(Rules rules, boolean marksHandlers) {
        this.rules = rules;
        this.marksHandlers = marksHandlers;
    }

    @Override
    public int getOrder() {
        return HIGHEST_PRECEDENCE;
    }

    @Override
    public boolean preHandle(HttpServletRequest request,
            HttpServletResponse response, Object handler)
            throws IOException {
        ServletExchange exchange = ServletExchange.of(request);
        if (exchange == null) {
            return true;
        }
        exchange.mapped(tells(handler));
        if (handler instanceof HandlerMethod method && !exchange.isHeld()) {
            Rule rule = rules.of(method.getMethod(), method.getBeanType());
            if (rule != null && rule.isHandler()) {
                try {
                    exchange.ask(rule);
                } catch (Refusal refusal) {
                    HeldResponse.write(response, refusal.answer());
                    return false;
                }
            }
        }
        return true;
    }

    /** Static resources begin with nothing that could happen twice. */
    private boolean tells(Object handler) {
        if (handler instanceof HandlerMethod method) {
            return rules.of(method.getMethod(), method.getBeanType()) != null
                    || marksHandlers && !Modifier.isFinal(
                    method.getBeanType().getModifiers())
                    && Rules.isHandler(method.getMethod(),
                    method.getBeanType());
        }
        return handler.getClass().getName().endsWith(
                ".ResourceHttpRequestHandler");
    }

    @Override
    public ModelAndView resolveException(HttpServletRequest request,
            HttpServletResponse response, Object handler, Exception why) {
        ServletExchange exchange = ServletExchange.of(request);
        if (exchange != null) {
            if (why instanceof AsyncRequestTimeoutException) {
                exchange.unknown(); // its handler may still be at work
            } else {
                exchange.failed(why);
            }
        }
        HttpAnswer answer = Refusals.answerOf(why);
        if (answer == null) {
            return null;
        }
        try {
            HeldResponse.write(response, answer);
            return new ModelAndView();
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }
}
