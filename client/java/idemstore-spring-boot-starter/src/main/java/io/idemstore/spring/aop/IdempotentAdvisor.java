// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.spring.core.Rules;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import org.aopalliance.aop.Advice;
import org.springframework.aop.Pointcut;
import org.springframework.aop.support.AbstractPointcutAdvisor;
import org.springframework.aop.support.StaticMethodMatcherPointcut;

/**
 * Puts the interceptor around what @Idempotent covers and, where the web
 * filter covers paths of its own, around each handler: what it has not reached
 * has not begun.
 */
public final class IdempotentAdvisor extends AbstractPointcutAdvisor {
    private final transient Advice advice;
    private final transient Pointcut pointcut;

    /** @param marksHandlers whether each handler is to be known to begin */
    public IdempotentAdvisor(IdempotentInterceptor advice, Rules rules,
            int order, boolean marksHandlers) {
        this.advice = advice;
        this.pointcut = new Covered(rules, marksHandlers);
        setOrder(order);
    }

    @Override
    public Advice getAdvice() {
        return advice;
    }

    @Override
    public Pointcut getPointcut() {
        return pointcut;
    }

    private static final class Covered extends StaticMethodMatcherPointcut {
        private final Rules rules;
        private final boolean marksHandlers;

        Covered(Rules rules, boolean marksHandlers) {
            this.rules = rules;
            this.marksHandlers = marksHandlers;
        }

        @Override
        public boolean matches(Method method, Class<?> type) {
            return rules.of(method, type) != null || marksHandlers
                    && !Modifier.isFinal(type.getModifiers())
                    && Rules.isHandler(method, type);
        }
    }
}
