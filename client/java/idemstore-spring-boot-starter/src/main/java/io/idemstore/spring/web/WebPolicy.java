// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.AcquireOptions;
import io.idemstore.ErrorCode;
import io.idemstore.HttpKey;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.spring.Failure;
import io.idemstore.spring.IdempotencyProperties;
import io.idemstore.spring.Scope;
import io.idemstore.spring.core.Refusal;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Which requests are covered, and how: what both filters have in common. */
public final class WebPolicy {
    private static final Set<String> SAFE =
            Set.of("GET", "HEAD", "OPTIONS", "TRACE");

    private final IdempotencyProperties properties;
    private final IdempotencyProperties.Http http;
    private final boolean hasFunction;
    private final Set<String> methods;
    private final AcquireOptions acquire;

    /**
     * @param hasFunction whether a bean says who is authenticated
     * @throws IllegalStateException what can't be kept, and why
     */
    public WebPolicy(IdempotencyProperties properties, boolean hasFunction) {
        this.properties = properties;
        this.hasFunction = hasFunction;
        this.http = properties.getHttp();
        this.methods = Set.copyOf(http.getMethods().stream()
                .map(one -> one.toUpperCase(Locale.ROOT)).toList());
        if (methods.stream().anyMatch(SAFE::contains)) {
            throw new IllegalStateException("idemstore.http.methods: GET, "
                    + "HEAD, OPTIONS and TRACE change nothing, and are not "
                    + "covered");
        }
        this.acquire = AcquireOptions.defaults()
                .lease(properties.getLease())
                .ttl(properties.getRetention());
    }

    /** @throws IllegalStateException nobody says who is authenticated */
    public void checkPrincipal() {
        if (!hasFunction && http.getPrincipal() == null
                && properties.getScope() != Scope.NONE) {
            throw new IllegalStateException("idemstore has to know who is "
                    + "authenticated, or one user's key could find another's "
                    + "answer: make a bean of type ServletPrincipal or "
                    + "ReactivePrincipal, or set idemstore.http.principal to "
                    + "user (the request's principal) or none (keys are "
                    + "everybody's)");
        }
    }

    boolean isForAnyone() {
        return !hasFunction
                && http.getPrincipal() == IdempotencyProperties.Who.NONE
                || properties.getScope() == Scope.NONE;
    }

    /** Without an annotation. */
    boolean isCovered(String method, boolean hasKey) {
        return methods.contains(method) && (hasKey || http.isRequired());
    }

    List<String> paths() {
        return http.getPaths();
    }

    String header() {
        return http.getHeader();
    }

    List<String> keep() {
        return http.getKeep();
    }

    Failure onFailure() {
        return http.getOnFailure();
    }

    int bodyBytesMax() {
        return http.getBodyBytesMax();
    }

    boolean isScoped() {
        return properties.getScope() != Scope.NONE;
    }

    AcquireOptions acquire() {
        return acquire;
    }

    /** @param values the header's */
    static String key(List<String> values) {
        try {
            if (values.size() > 1) {
                throw new IdemException(ErrorCode.KEY_MALFORMED,
                        "the request has two of them");
            }
            return HttpKey.of(values.isEmpty() ? null : values.get(0));
        } catch (IdemException why) {
            throw new Refusal(HttpProblem.of(why));
        }
    }

    static void checkMultipart(String contentType) {
        if (contentType != null && contentType.strip()
                .toLowerCase(Locale.ROOT).startsWith("multipart/")) {
            throw new Refusal(HttpProblem.MULTIPART.answer());
        }
    }

    void checkLength(long length) {
        if (length > bodyBytesMax()) {
            throw new Refusal(HttpProblem.TOO_LARGE.answer());
        }
    }

    /** Who it is; null: keys are everybody's. */
    String principal(String found) {
        if (found == null || found.isEmpty()) {
            throw new Refusal(HttpProblem.NO_PRINCIPAL.answer());
        }
        return found;
    }

    /** "http://host/pay?x" is /pay?x; what is "" is /. */
    static String originForm(String target) {
        int scheme = target.indexOf("://");
        int slash = target.indexOf('/');
        if (scheme > 0 && slash == scheme + 1) {
            int path = target.indexOf('/', scheme + 3);
            int query = target.indexOf('?', scheme + 3);
            int at = path < 0 || query >= 0 && query < path ? query : path;
            return originForm(at < 0 ? "/" : target.substring(at));
        }
        return target.startsWith("/") ? target : "/" + target;
    }

    static boolean isEventStream(String contentType) {
        return contentType != null && contentType.toLowerCase(Locale.ROOT)
                .startsWith("text/event-stream");
    }
}
