// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import javax.net.ssl.SSLContext;

/**
 * How a store is opened. The URI:
 *
 * <pre>
 * idem://[:SECRET@]HOST[:PORT][,HOST[:PORT]...][/NAMESPACE][?OPTIONS]
 * idems://...                                  the same over TLS
 * idem+unix://[:SECRET@]/PATH/TO/SOCKET[?OPTIONS]
 * </pre>
 *
 * Options of the URI: timeout_ms, connect_timeout_ms, fail_fast_ms,
 * connect_rounds, shard_aware, namespace, secret_file, client, ca, cert, key,
 * verify, server_name.
 */
public final class IdemStoreOptions {
    private final String uri;
    private final String secret;
    private final Executor executor;
    private final IdemListener listener;
    private final SSLContext sslContext;
    private final int callsMax;

    private IdemStoreOptions(Builder from) {
        uri = from.uri;
        secret = from.secret;
        executor = from.executor;
        listener = from.listener;
        sslContext = from.sslContext;
        callsMax = from.callsMax;
    }

    public static Builder builder(String uri) {
        return new Builder(uri);
    }

    public String uri() {
        return uri;
    }

    String secret() {
        return secret;
    }

    Executor executor() {
        return executor;
    }

    IdemListener listener() {
        return listener;
    }

    SSLContext sslContext() {
        return sslContext;
    }

    int callsMax() {
        return callsMax;
    }

    /** Sets what differs from the defaults. */
    public static final class Builder {
        private final String uri;
        private String secret;
        private Executor executor = ForkJoinPool.commonPool();
        private IdemListener listener;
        private SSLContext sslContext;
        private int callsMax = 65536;

        private Builder(String uri) {
            this.uri = Objects.requireNonNull(uri, "uri");
        }

        /**
         * Where the URI has none. Left out: the option secret_file, or
         * IDEMSTORE_SECRET in the environment.
         */
        public Builder secret(String text) {
            secret = text;
            return this;
        }

        /**
         * Where the futures of async calls complete; the common pool at
         * first. Runnable::run completes them on the store's own thread,
         * which must then never block.
         */
        public Builder executor(Executor where) {
            executor = Objects.requireNonNull(where, "executor");
            return this;
        }

        /** Hears of each call. */
        public Builder listener(IdemListener who) {
            listener = who;
            return this;
        }

        /** For idems://, in place of the options ca, cert and key. */
        public Builder sslContext(SSLContext context) {
            sslContext = context;
            return this;
        }

        /**
         * How many calls may be under way or wait in this store; one more
         * is told LIMIT. 65536 at first.
         */
        public Builder callsMax(int count) {
            if (count < 1) {
                throw IdemException.argument("callsMax is 1 or more");
            }
            callsMax = count;
            return this;
        }

        public IdemStoreOptions build() {
            return new IdemStoreOptions(this);
        }
    }
}
