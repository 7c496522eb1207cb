// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.AcquireAnswer;
import io.idemstore.Acquired;
import io.idemstore.Claim;
import io.idemstore.HttpAnswer;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.Key;
import io.idemstore.Replay;
import io.idemstore.spring.ServletPrincipal;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Exchange;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.Refusal;
import io.idemstore.spring.core.Unavailable;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletRequestEvent;
import jakarta.servlet.ServletRequestListener;
import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import org.springframework.http.server.PathContainer;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;

/**
 * Holds a servlet application to docs/http.md. Paths that are covered are
 * claimed here; annotated handlers by their aspect. Both are settled here, with
 * the answer as it left: also that of an asynchronous dispatch and that of the
 * error page, which the container writes after the filters.
 */
public final class IdempotencyFilter
        implements Filter, ServletRequestListener {
    private static final ThreadLocal<ServletExchange> CURRENT =
            new ThreadLocal<>();

    private final Claims claims;
    private final WebPolicy policy;
    private final ServletPrincipal principal;
    private final Unavailable unavailable;
    private final List<PathPattern> paths;

    public IdempotencyFilter(Claims claims, WebPolicy policy,
            ServletPrincipal principal, Unavailable unavailable) {
        this.claims = claims;
        this.policy = policy;
        this.principal = principal;
        this.unavailable = unavailable;
        this.paths = policy.paths().stream()
                .map(PathPatternParser.defaultInstance::parse).toList();
    }

    /** The request that is at work on this thread, or null. */
    public static Exchange current() {
        return CURRENT.get();
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response,
            FilterChain chain) throws IOException, ServletException {
        if (!(request instanceof HttpServletRequest asked)
                || !(response instanceof HttpServletResponse answer)) {
            chain.doFilter(request, response);
            return;
        }
        ServletExchange exchange = ServletExchange.of(request);
        boolean isFirst = exchange == null;
        if (isFirst) {
            exchange = new ServletExchange(policy, principal,
                    claims.store().resultBytesMax(), asked, answer);
        }
        ServletExchange before = CURRENT.get();
        CURRENT.set(exchange);
        try {
            if (isFirst) {
                first(exchange, chain);
            } else {
                again(exchange, asked, answer, chain);
            }
        } finally {
            if (before == null) {
                CURRENT.remove();
            } else {
                CURRENT.set(before);
            }
        }
    }

    private void first(ServletExchange exchange, FilterChain chain)
            throws IOException, ServletException {
        if (isCovered(exchange)) {
            try {
                claim(exchange);
            } catch (Refusal refusal) {
                HeldResponse.write((HttpServletResponse) exchange.response()
                        .getResponse(), refusal.answer());
                return;
            }
        }
        pass(exchange, exchange.request(), exchange.response(), chain);
    }

    private void again(ServletExchange exchange, HttpServletRequest request,
            HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        boolean isForward =
                request.getDispatcherType() == DispatcherType.FORWARD;
        pass(exchange, request, isForward ? response : exchange.resume(
                response, request.getDispatcherType()
                == DispatcherType.ERROR), chain);
    }

    /**
     * A forward ends what was asked: the container takes no more of an answer
     * after it.
     */
    private void pass(ServletExchange exchange, HttpServletRequest request,
            HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        Held held = exchange.held();
        try (Claim.Scope scope = held == null ? () -> { } : held.enter()) {
            chain.doFilter(request, response);
        } catch (IOException | ServletException | RuntimeException
                | Error why) {
            exchange.failed(why instanceof ServletException outer
                    && outer.getRootCause() != null
                    ? outer.getRootCause() : why);
            unseen(exchange, request);
            throw why;
        }
        if (request.isAsyncStarted()) {
            if (exchange.isHeld()) {
                exchange.response().letGo();
            }
        } else if (exchange.response().isError()
                && request.getDispatcherType() != DispatcherType.ERROR) {
            unseen(exchange, request);
        } else {
            exchange.finish();
        }
    }

    /**
     * The container writes an error page, or nothing if something was sent
     * before: {@link #requestDestroyed} comes after both. Not so in tests
     * without a container.
     */
    private static void unseen(ServletExchange exchange,
            HttpServletRequest request) throws IOException {
        ServletRequest bare = request;
        while (bare instanceof ServletRequestWrapper wrapper) {
            bare = wrapper.getRequest();
        }
        if (bare.getClass().getName()
                .startsWith("org.springframework.mock.")) {
            if (exchange.response().isError()) {
                exchange.finish();
            } else {
                exchange.finishWithoutAnswer();
            }
        }
    }

    @Override
    public void requestDestroyed(ServletRequestEvent event) {
        ServletExchange exchange =
                ServletExchange.of(event.getServletRequest());
        if (exchange != null && !isAsync(event.getServletRequest())) {
            exchange.finishWithoutAnswer();
        }
    }

    /** Tomcat tells nothing once an asynchronous answer has failed. */
    private static boolean isAsync(ServletRequest request) {
        try {
            return request.isAsyncStarted();
        } catch (IllegalStateException why) {
            return false;
        }
    }

    // ------------------------------------------------------------ the claim

    private boolean isCovered(ServletExchange exchange) {
        RecordedRequest request = exchange.request();
        if (paths.isEmpty() || !policy.isCovered(request.getMethod(),
                !exchange.keys().isEmpty())) {
            return false;
        }
        PathContainer path = PathContainer.parsePath(request.getRequestURI()
                .substring(request.getContextPath().length()));
        return paths.stream().anyMatch(one -> one.matches(path));
    }

    /** Where the store is away it may run without one. */
    private void claim(ServletExchange exchange) {
        HttpAsk ask = exchange.ask(null);
        try {
            Key key = Key.of(policy.isScoped() ? ask.storeKey() : ask.key());
            AcquireAnswer answer = claims.acquire(key,
                    policy.acquire().fingerprint(ask.fingerprint()));
            if (answer instanceof Acquired acquired) {
                exchange.hold(claims.hold(key, acquired, true), null);
                return;
            }
            throw new Refusal(answer instanceof Replay replay
                    ? HttpAnswer.replayed(replay.result())
                    : HttpProblem.of(answer));
        } catch (IdemException why) {
            if (!unavailable.mayPass(why)) {
                throw new Refusal(HttpProblem.of(why));
            }
        }
    }
}
