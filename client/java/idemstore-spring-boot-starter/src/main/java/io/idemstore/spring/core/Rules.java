// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.AcquireOptions;
import io.idemstore.spring.Idempotent;
import io.idemstore.spring.IdempotencyProperties;
import io.idemstore.spring.ResultSerializer;
import io.idemstore.spring.Scope;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.springframework.aop.support.AopUtils;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.boot.convert.DurationStyle;
import org.springframework.core.BridgeMethodResolver;
import org.springframework.core.MethodClassKey;
import org.springframework.core.ResolvableType;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.util.ClassUtils;
import org.springframework.util.function.SingletonSupplier;

/** Each method's rule. What does not fit is refused when its bean is made. */
public final class Rules {
    /** The bean that writes results where nothing else is said. */
    public static final String SERIALIZER = "idempotencyResultSerializer";

    private static final String STEREOTYPE =
            "org.springframework.stereotype.Controller";
    private static final String MAPPING =
            "org.springframework.web.bind.annotation.RequestMapping";

    private final IdempotencyProperties properties;
    private final BeanFactory beans;
    private final boolean isReactive;
    private final Runnable checkPrincipal;
    private final Map<MethodClassKey, Optional<Rule>> rules =
            new ConcurrentHashMap<>();

    /** @param checkPrincipal throws where nobody says who is authenticated */
    public Rules(IdempotencyProperties properties, BeanFactory beans,
            boolean isReactive, Runnable checkPrincipal) {
        this.properties = properties;
        this.beans = beans;
        this.isReactive = isReactive;
        this.checkPrincipal = checkPrincipal;
    }

    /**
     * Null: it has none.
     *
     * @throws IllegalStateException it can't be kept; its text says why
     */
    public Rule of(Method method, Class<?> owner) {
        Class<?> type = owner == null ? method.getDeclaringClass()
                : ClassUtils.getUserClass(owner);
        if (method.getDeclaringClass() == Object.class) {
            return null;
        }
        return rules.computeIfAbsent(new MethodClassKey(method, type),
                key -> Optional.ofNullable(read(method, type))).orElse(null);
    }

    /** A controller's method that serves requests. */
    public static boolean isHandler(Method method, Class<?> owner) {
        return AnnotatedElementUtils.hasAnnotation(owner, controller())
                && AnnotatedElementUtils.hasAnnotation(method, mapping());
    }

    private Rule read(Method method, Class<?> owner) {
        Method specific = BridgeMethodResolver.findBridgedMethod(
                AopUtils.getMostSpecificMethod(method, owner));
        Idempotent said = AnnotatedElementUtils.findMergedAnnotation(specific,
                Idempotent.class);
        if (said == null && isCoveredByType(specific)) {
            said = AnnotatedElementUtils.findMergedAnnotation(owner,
                    Idempotent.class);
        }
        return said == null ? null : made(specific, owner, said);
    }

    private static boolean isCoveredByType(Method method) {
        return Modifier.isPublic(method.getModifiers())
                && method.getDeclaringClass() != Object.class;
    }

    private Rule made(Method method, Class<?> owner, Idempotent said) {
        boolean isHandler = IS_WEB && isHandler(method, owner);
        ListenerKind listener = ListenerKind.of(method);
        check(method, said, isHandler, listener);
        Scope scope = said.scope() == Scope.DEFAULT ? properties.getScope()
                : said.scope();
        Rule made = new Rule(new RuleParts(method, owner, said,
                expression(said.key(), method),
                expression(said.fingerprint(), method),
                ReturnKind.of(method, owner, isHandler, isReactive),
                valueType(method, owner), isHandler, listener,
                scope == Scope.NONE ? Scope.NONE : Scope.OWN,
                acquire(said, listener), serializer(said)));
        if (made.needsPrincipal()) {
            checkPrincipal.run();
        }
        return made;
    }

    private static void check(Method method, Idempotent said,
            boolean isHandler, ListenerKind listener) {
        if (listener != ListenerKind.NONE && said.key().isEmpty()) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": a listener's key is an expression over its message; "
                    + "a partition and an offset are none");
        }
        if (said.key().isEmpty() && !isHandler && !IS_SERVLET) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": there is no request here, so its key must be an "
                    + "expression over its arguments");
        }
        if (said.expireTime() < 0 || said.expireTime() > 86_400) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": expireTime is 0 to 86400 seconds");
        }
        if (!said.renew() && said.expireTime() == 0
                && said.lease().isEmpty()) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": without renewal say a lease or an expireTime");
        }
    }

    private AcquireOptions acquire(Idempotent said, ListenerKind listener) {
        AcquireOptions made = AcquireOptions.defaults()
                .onOrphan(said.onOrphan());
        if (said.expireTime() > 0) {
            Duration time = Duration.ofSeconds(said.expireTime());
            made = made.lease(time).ttl(time);
        } else {
            Duration lease = duration(said.lease(), properties.getLease());
            Duration kept = duration(said.retention(),
                    properties.getRetention());
            made = made.lease(lease)
                    .ttl(kept.compareTo(lease) < 0 ? lease : kept);
        }
        return made.waitFor(duration(said.waitFor(),
                listener == ListenerKind.NONE ? Duration.ZERO
                        : properties.getListeners().getWaitFor()));
    }

    private static Duration duration(String text, Duration otherwise) {
        return text.isEmpty() ? otherwise
                : DurationStyle.detectAndParse(text);
    }

    private Expressions expression(String text, Method method) {
        return text.isEmpty() ? null : new Expressions(text, method, beans);
    }

    /** Of a Mono its element's, of a Flux a list's. */
    private static Type valueType(Method method, Class<?> owner) {
        ResolvableType type =
                ResolvableType.forMethodReturnType(method, owner);
        Class<?> raw = type.toClass();
        boolean isVoid = raw == void.class || raw == Void.class;
        ReturnKind kind = isVoid ? ReturnKind.VOID : switch (raw.getName()) {
            case "reactor.core.publisher.Mono",
                    "java.util.concurrent.Callable" -> ReturnKind.MONO;
            case "reactor.core.publisher.Flux" -> ReturnKind.FLUX;
            default -> java.util.concurrent.CompletionStage.class
                    .isAssignableFrom(raw) ? ReturnKind.MONO
                    : ReturnKind.VALUE;
        };
        return switch (kind) {
            case VOID -> Void.class;
            case MONO -> type.getGeneric(0).getType();
            case FLUX -> ResolvableType.forClassWithGenerics(
                    java.util.List.class, type.getGeneric(0)).getType();
            default -> type.getType();
        };
    }

    private Supplier<ResultSerializer> serializer(Idempotent said) {
        return SingletonSupplier.of(() -> {
            if (said.serializer() != ResultSerializer.class) {
                return beans.getBean(said.serializer());
            }
            ResultSerializer primary = beans.getBeanProvider(
                    ResultSerializer.class).getIfUnique();
            return primary != null ? primary
                    : beans.getBean(SERIALIZER, ResultSerializer.class);
        });
    }

    // ----------------------------------------------- what need not be there

    private static final boolean IS_WEB = ClassUtils.isPresent(MAPPING,
            Rules.class.getClassLoader());
    private static final boolean IS_SERVLET = ClassUtils.isPresent(
            "jakarta.servlet.Filter", Rules.class.getClassLoader());

    private static Class<? extends java.lang.annotation.Annotation>
            controller() {
        return annotation(STEREOTYPE);
    }

    private static Class<? extends java.lang.annotation.Annotation> mapping() {
        return annotation(MAPPING);
    }

    @SuppressWarnings("unchecked")
    private static Class<? extends java.lang.annotation.Annotation> annotation(
            String name) {
        return (Class<? extends java.lang.annotation.Annotation>)
                ClassUtils.resolveClassName(name,
                        Rules.class.getClassLoader());
    }
}
