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
    final Target target;
    final Watch watch = new Watch();
    final Loop loop;
    private final long timeout;
    private final long failFast;
    private final Executor executor;
    private final int callsMax;
    private final AtomicReferenceArray<Lane> lanes =
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
        target = new Target(uri.endpoints, uri.number("shard_aware") != 0);
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
        Errand errand = errand(call);
        go(errand);
        return errand.await();
    }

    @Override
    CompletableFuture<Object> askLater(Call call) {
        Errand errand = errand(call);
        CompletableFuture<Object> future = errand.into(executor);
        go(errand);
        return future;
    }

    private Errand errand(Call call) {
        watch.calls.increment();
        return new Errand(call, target, watch, Ticks.now(), timeout,
                failFast);
    }

    private void go(Errand errand) {
        if (watch.underWay.incrementAndGet() > callsMax) {
            attemptEnded(errand, new Errand.Lost(Errors.tooMany(callsMax), 0,
                    false));
            return;
        }
        if (!started) {
            start();
        }
        if (!goesAtOnce(errand)) {
            loop.execute(() -> attempt(errand));
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
    private boolean goesAtOnce(Errand errand) {
        if (closed || errand.fast > 0 && watch.changesWait) {
            return false;
        }
        Target.View view = target.view;
        int shard = view.route(errand.call);
        Lane lane = shard < 0 ? null : lanes.get(shard);
        Link link = lane == null ? null : lane.link;
        return link != null && link.serial == view.serial()
                && link.offer(errand);
    }

    // ---------------------------------------------- the loop's thread

    private void attempt(Errand errand) {
        if (closed) {
            attemptEnded(errand, new Errand.Lost(Errors.closed(), 0, false));
        } else if (errand.isDone() || !errand.mayGo(loop.now())) {
            attemptEnded(errand, null);
        } else {
            // Before it is known how many shards there are, any will do.
            lane(Math.max(target.view.route(errand.call), 0)).up(errand);
        }
    }

    private Lane lane(int shard) {
        Lane lane = lanes.get(shard);
        if (lane == null) {
            lane = new Lane(this, shard);
            lanes.set(shard, lane);
        }
        return lane;
    }

    /** Null: the call is over. Else it is tried again, or told. */
    void attemptEnded(Errand errand, Errand.Lost lost) {
        if (lost == null || errand.isDone()) {
            if (errand.stray != null) {
                giveBack(errand);
            }
            return;
        }
        if (closed || lost.error().code() == ErrorCode.CLOSED) {
            errand.conclude(lost.sent() ? Errors.lost(
                    lost.error().endpoint(), "the store was closed")
                    : Errors.closed());
            return;
        }
        long pause = errand.failed(lost, loop.now());
        if (pause >= 0) {
            loop.at(loop.now() + pause, () -> attempt(errand));
        }
    }

    /** An interrupted caller does not hold what it was granted. */
    private void giveBack(Errand errand) {
        Call release = new Call(Call.Method.RELEASE, errand.call.ns,
                errand.call.key);
        release.token = errand.stray.token();
        askLater(release);
    }

    void greeted(Hello hello) {
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
            Lane lane = lanes.get(i);
            Link link = lane == null ? null : lane.link;
            up += link != null && !link.isBroken() ? 1 : 0;
        }
        return new StoreStatus(target.primary, target.epoch, up,
                watch.changesWait, watch.calls.sum(), watch.repeats.get(),
                watch.connects.get(), watch.losses.get(), target.follows,
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
                Lane lane = lanes.get(i);
                if (lane != null) {
                    lane.close();
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
