// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;

/** The store over sockets: where a call goes, and what becomes of it. */
final class NetStore extends StoreCalls {
    private static final int SHARDS_MAX = 1024;
    private static final String VERSION = "0.1.0";

    final StoreUri uri;
    final Dialer dialer;
    final EndpointSelector selector;
    final Watch watch = new Watch();
    final Loop loop;
    private final long timeout;
    private final long failFast;
    private final Executor executor;
    private final int callsMax;
    private final AtomicReferenceArray<SharedConnection> connections =
            new AtomicReferenceArray<>(SHARDS_MAX);
    private final ReentrantLock starting = new ReentrantLock();
    private volatile boolean started;
    private volatile boolean closed;
    private volatile int resultBytesMax = 1 << 20;

    NetStore(IdemStoreOptions options) {
        this(options, StoreUri.parse(options.uri(), options.secret()));
    }

    private NetStore(IdemStoreOptions options, StoreUri uri) {
        super(uri.ns, options.listener());
        this.uri = uri;
        dialer = new Dialer(uri, TlsContext.of(uri, options.sslContext()),
                "java/" + VERSION);
        selector = new EndpointSelector(uri.endpoints,
                uri.number("shard_aware") != 0);
        timeout = uri.ticks("timeout_ms");
        failFast = uri.ticks("fail_fast_ms");
        executor = options.executor();
        callsMax = options.callsMax();
        try {
            loop = new Loop();
        } catch (IOException why) {
            throw new IllegalStateException(
                    "this process can't open a selector", why);
        }
    }

    // ------------------------------------------------------------- asking

    @Override
    Object ask(Call call) {
        Course course = course(call);
        go(course);
        return course.await();
    }

    @Override
    CompletableFuture<Object> askLater(Call call) {
        Course course = course(call);
        CompletableFuture<Object> future = course.into(executor);
        go(course);
        return future;
    }

    private Course course(Call call) {
        watch.calls.increment();
        return new Course(call, selector, watch, Ticks.now(), timeout,
                failFast);
    }

    private void go(Course course) {
        if (watch.underWay.incrementAndGet() > callsMax) {
            attemptEnded(course, new Course.Lost(Errors.tooMany(callsMax), 0,
                    false));
            return;
        }
        if (!started) {
            start();
        }
        if (!goesAtOnce(course)) {
            loop.execute(() -> attempt(course));
        }
    }

    private void start() {
        starting.lock();
        try {
            if (!started) {
                loop.start();
                started = true;
            }
        } finally {
            starting.unlock();
        }
    }

    /** All is well, and this thread can send it itself. */
    private boolean goesAtOnce(Course course) {
        if (closed || course.fast > 0 && watch.changesWait) {
            return false;
        }
        EndpointSelector.View view = selector.view;
        int shard = view.route(course.call);
        SharedConnection shared = shard < 0 ? null : connections.get(shard);
        Link link = shared == null ? null : shared.link;
        return link != null && link.serial == view.serial()
                && link.offer(course);
    }

    // ---------------------------------------------- the loop's thread

    private void attempt(Course course) {
        if (closed) {
            attemptEnded(course, new Course.Lost(Errors.closed(), 0, false));
        } else if (course.isDone() || !course.mayGo(loop.now())) {
            attemptEnded(course, null);
        } else {
            // Before it is known how many shards there are, any will do.
            connection(Math.max(selector.view.route(course.call), 0))
                    .up(course);
        }
    }

    private SharedConnection connection(int shard) {
        SharedConnection shared = connections.get(shard);
        if (shared == null) {
            shared = new SharedConnection(this, shard);
            connections.set(shard, shared);
        }
        return shared;
    }

    /** Null: the call is over. Else it is tried again, or told. */
    void attemptEnded(Course course, Course.Lost lost) {
        if (lost == null || course.isDone()) {
            if (course.stray != null) {
                giveBack(course);
            }
            return;
        }
        if (closed || lost.error().code() == ErrorCode.CLOSED) {
            course.conclude(lost.sent() ? Errors.lost(
                    lost.error().endpoint(), "the store was closed")
                    : Errors.closed());
            return;
        }
        long pause = course.failed(lost, loop.now());
        if (pause >= 0) {
            loop.at(loop.now() + pause, () -> attempt(course));
        }
    }

    /** An interrupted caller does not hold what it was granted. */
    private void giveBack(Course course) {
        Call release = new Call(Call.Method.RELEASE, course.call.ns,
                course.call.key);
        release.token = course.stray.token();
        askLater(release);
    }

    void connected(Hello hello) {
        resultBytesMax = hello.resultBytesMax();
    }

    // --------------------------------------------------------------- rest

    boolean isClosed() {
        return closed;
    }

    @Override
    public int resultBytesMax() {
        return resultBytesMax;
    }

    @Override
    public StoreStatus status() {
        int up = 0;
        for (int i = 0; i < SHARDS_MAX; i++) {
            SharedConnection shared = connections.get(i);
            Link link = shared == null ? null : shared.link;
            up += link != null && !link.isBroken() ? 1 : 0;
        }
        return new StoreStatus(selector.primary, selector.epoch, up,
                watch.changesWait, watch.calls.sum(), watch.repeats.get(),
                watch.connects.get(), watch.losses.get(), selector.follows,
                watch.timeouts.get(), watch.unreplicated.get(),
                watch.failedFast.get());
    }

    @Override
    public void close() {
        if (closed) {
            loop.join();
            return;
        }
        closed = true;
        renewer.close();
        start();
        loop.execute(() -> {
            for (int i = 0; i < SHARDS_MAX; i++) {
                SharedConnection shared = connections.get(i);
                if (shared != null) {
                    shared.close();
                }
            }
            loop.end();
        });
        loop.join();
    }

    @Override
    public String toString() {
        StringBuilder names = new StringBuilder();
        uri.endpoints.forEach(one -> names.append(
                names.isEmpty() ? "" : ",").append(one.name()));
        return "IdemStore at " + names;
    }
}
