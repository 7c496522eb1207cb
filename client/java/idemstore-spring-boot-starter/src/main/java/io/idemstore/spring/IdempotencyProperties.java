// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.NestedConfigurationProperty;
import org.springframework.core.Ordered;

/** What is set under {@code idemstore}. */
@ConfigurationProperties("idemstore")
public class IdempotencyProperties {
    /** Whether any of it is there. */
    private boolean enabled = true;

    /** Where the store is: idem://HOST:PORT/NAMESPACE, several with commas. */
    private String uri = "idem://127.0.0.1:7117";

    /** A store in this process's memory, for tests. */
    private boolean inMemory;

    /** For how long a claim is held without a sign of life. */
    private Duration lease = Duration.ofSeconds(30);

    /** For how long the answer is kept. */
    private Duration retention = Duration.ofHours(24);

    /** Whether a key belongs to route and user, or to everybody. */
    private Scope scope = Scope.OWN;

    /**
     * Where the aspect stands among others: outside of transactions, inside
     * of method security.
     */
    private int order = Ordered.LOWEST_PRECEDENCE - 1000;

    @NestedConfigurationProperty
    private Http http = new Http();

    @NestedConfigurationProperty
    private Listeners listeners = new Listeners();

    /** Of requests. */
    public static class Http {
        /** The header that has the key. */
        private String header = "Idempotency-Key";

        /**
         * Paths (patterns) that the filter covers without any annotation.
         * None: annotated handlers alone are covered.
         */
        private List<String> paths = List.of();

        /** Methods that the filter covers there. */
        private List<String> methods = List.of("POST", "PATCH");

        /** Whether a covered request without the header is a 400. */
        private boolean required = true;

        /**
         * Who is authenticated: "user" (the request's principal) or "none"
         * (keys are everybody's). A bean of type ServletPrincipal or
         * ReactivePrincipal comes before it. There is no default.
         */
        private Who principal;

        /** What happens while the store can't be asked: 503, or nothing. */
        private Unavailable onUnavailable = Unavailable.CLOSED;

        /** What an answer of 5xx does to the claim. */
        private Failure onFailure = Failure.STORE;

        /** Further headers to store, by name. */
        private List<String> keep = List.of();

        /** Of a request's body, in bytes: it is compared whole. */
        private int bodyBytesMax = 10 << 20;

        /** Where the filter stands: behind the one that authenticates. */
        private int filterOrder = -90;

        public String getHeader() {
            return header;
        }

        public void setHeader(String header) {
            this.header = header;
        }

        public List<String> getPaths() {
            return paths;
        }

        public void setPaths(List<String> paths) {
            this.paths = paths;
        }

        public List<String> getMethods() {
            return methods;
        }

        public void setMethods(List<String> methods) {
            this.methods = methods;
        }

        public boolean isRequired() {
            return required;
        }

        public void setRequired(boolean required) {
            this.required = required;
        }

        public Who getPrincipal() {
            return principal;
        }

        public void setPrincipal(Who principal) {
            this.principal = principal;
        }

        public Unavailable getOnUnavailable() {
            return onUnavailable;
        }

        public void setOnUnavailable(Unavailable onUnavailable) {
            this.onUnavailable = onUnavailable;
        }

        public Failure getOnFailure() {
            return onFailure;
        }

        public void setOnFailure(Failure onFailure) {
            this.onFailure = onFailure;
        }

        public List<String> getKeep() {
            return keep;
        }

        public void setKeep(List<String> keep) {
            this.keep = keep;
        }

        public int getBodyBytesMax() {
            return bodyBytesMax;
        }

        public void setBodyBytesMax(int bodyBytesMax) {
            this.bodyBytesMax = bodyBytesMax;
        }

        public int getFilterOrder() {
            return filterOrder;
        }

        public void setFilterOrder(int filterOrder) {
            this.filterOrder = filterOrder;
        }
    }

    /** Who is authenticated. */
    public enum Who {
        /** The request's principal, by its name. */
        USER,
        /** Keys are everybody's. */
        NONE
    }

    /** What happens while the store can't be asked. */
    public enum Unavailable {
        /** 503, and the handler does not run. */
        CLOSED,
        /** The handler runs without a claim, and nothing is promised. */
        OPEN
    }

    /** Of messages. */
    public static class Listeners {
        /** How long a delivery waits for the one that is at work: 60 s. */
        private Duration waitFor = Duration.ofSeconds(30);

        /** The longest pause while the store can't be asked. */
        private Duration pauseMax = Duration.ofSeconds(30);

        public Duration getWaitFor() {
            return waitFor;
        }

        public void setWaitFor(Duration waitFor) {
            this.waitFor = waitFor;
        }

        public Duration getPauseMax() {
            return pauseMax;
        }

        public void setPauseMax(Duration pauseMax) {
            this.pauseMax = pauseMax;
        }
    }

    public boolean isEnabled() {
        return enabled;
    }

    public void setEnabled(boolean enabled) {
        this.enabled = enabled;
    }

    public String getUri() {
        return uri;
    }

    public void setUri(String uri) {
        this.uri = uri;
    }

    public boolean isInMemory() {
        return inMemory;
    }

    public void setInMemory(boolean inMemory) {
        this.inMemory = inMemory;
    }

    public Duration getLease() {
        return lease;
    }

    public void setLease(Duration lease) {
        this.lease = lease;
    }

    public Duration getRetention() {
        return retention;
    }

    public void setRetention(Duration retention) {
        this.retention = retention;
    }

    public Scope getScope() {
        return scope;
    }

    public void setScope(Scope scope) {
        this.scope = scope;
    }

    public int getOrder() {
        return order;
    }

    public void setOrder(int order) {
        this.order = order;
    }

    public Http getHttp() {
        return http;
    }

    public void setHttp(Http http) {
        this.http = http;
    }

    public Listeners getListeners() {
        return listeners;
    }

    public void setListeners(Listeners listeners) {
        this.listeners = listeners;
    }
}
