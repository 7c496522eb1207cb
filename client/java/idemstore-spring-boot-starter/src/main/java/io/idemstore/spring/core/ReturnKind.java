// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.io.Closeable;
import java.lang.reflect.Method;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.Future;
import java.util.stream.BaseStream;
import org.springframework.core.ResolvableType;

/** How the end of a method is known. */
public enum ReturnKind {
    VOID, VALUE, STAGE, MONO, FLUX, CALLABLE,
    /** Known to Spring MVC alone: its request's end is the method's. */
    ANSWER;

    private static final String MVC =
            "org.springframework.web.servlet.mvc.method.annotation.";
    private static final String ASYNC =
            "org.springframework.web.context.request.async.";
    private static final Set<String> ANSWERS = Set.of(ASYNC + "DeferredResult",
            ASYNC + "WebAsyncTask", MVC + "ResponseBodyEmitter",
            MVC + "SseEmitter", MVC + "StreamingResponseBody");

    /**
     * @throws IllegalStateException it can't be followed: its text says which
     *     method, and what to return
     */
    static ReturnKind of(Method method, Class<?> owner, boolean isHandler,
            boolean isReactive) {
        ResolvableType type =
                ResolvableType.forMethodReturnType(method, owner);
        ReturnKind kind = of(type.toClass());
        if (kind == null && isHandler && !isReactive
                && !Future.class.isAssignableFrom(type.toClass())) {
            kind = ANSWER;
        }
        if (kind == null || kind == ANSWER && (!isHandler || isReactive)) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": the end of a " + type + " can't be followed; return "
                    + "a value, CompletionStage, Mono, Flux or Callable");
        }
        if (isHandler && isReactive && kind != MONO && kind != FLUX) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": a handler of WebFlux must return Mono or Flux, so "
                    + "that no event loop waits for the store");
        }
        Class<?>[] parameters = method.getParameterTypes();
        if (parameters.length > 0 && parameters[parameters.length - 1]
                .getName().equals("kotlin.coroutines.Continuation")) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": a suspending function can't be followed; return a "
                    + "Mono");
        }
        return kind;
    }

    private static ReturnKind of(Class<?> type) {
        if (type == void.class || type == Void.class) {
            return VOID;
        }
        if (CompletionStage.class.isAssignableFrom(type)) {
            return STAGE;
        }
        if (Callable.class.isAssignableFrom(type)) {
            return CALLABLE;
        }
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            if (ANSWERS.contains(at.getName())) {
                return ANSWER;
            }
        }
        return switch (type.getName()) {
            case "reactor.core.publisher.Mono" -> MONO;
            case "reactor.core.publisher.Flux" -> FLUX;
            default -> isOpen(type) ? null : VALUE;
        };
    }

    /** What goes on after the method has returned. */
    static boolean isOpen(Class<?> type) {
        return Future.class.isAssignableFrom(type)
                || BaseStream.class.isAssignableFrom(type)
                || Iterator.class.isAssignableFrom(type)
                || Closeable.class.isAssignableFrom(type)
                || Flow.Publisher.class.isAssignableFrom(type)
                || isPublisher(type);
    }

    /** Also RxJava's, whose single types are no Publishers. */
    private static boolean isPublisher(Class<?> type) {
        if (type.getName().startsWith("io.reactivex.")
                || type.getName().startsWith("io.smallrye.mutiny.")) {
            return true;
        }
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            if (at.getName().equals("org.reactivestreams.Publisher")) {
                return true;
            }
            for (Class<?> one : at.getInterfaces()) {
                if (isPublisher(one)) {
                    return true;
                }
            }
        }
        return false;
    }
}
