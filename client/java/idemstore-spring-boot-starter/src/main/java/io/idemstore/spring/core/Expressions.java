// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.lang.reflect.Method;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.context.expression.BeanFactoryResolver;
import org.springframework.context.expression.MethodBasedEvaluationContext;
import org.springframework.core.DefaultParameterNameDiscoverer;
import org.springframework.core.ParameterNameDiscoverer;
import org.springframework.expression.Expression;
import org.springframework.expression.ParseException;
import org.springframework.expression.spel.standard.SpelExpressionParser;

/** One SpEL expression over a method's arguments, also as #p0 and #a0. */
final class Expressions {
    private static final SpelExpressionParser PARSER =
            new SpelExpressionParser();
    private static final ParameterNameDiscoverer NAMES =
            new DefaultParameterNameDiscoverer();

    private final Expression expression;
    private final BeanFactory beans;

    /** @throws IllegalStateException it is no expression */
    Expressions(String text, Method method, BeanFactory beans) {
        this.beans = beans;
        try {
            expression = PARSER.parseExpression(text);
        } catch (ParseException why) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": \"" + text + "\" is no expression", why);
        }
    }

    Object value(Invoked call) {
        MethodBasedEvaluationContext context =
                new MethodBasedEvaluationContext(call, call.method(),
                        call.args(), NAMES);
        context.setBeanResolver(new BeanFactoryResolver(beans));
        return expression.getValue(context);
    }

    /** Null: it makes none. */
    String text(Invoked call) {
        Object value = value(call);
        return value == null ? null : value.toString();
    }
}
