// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * A store in this process's memory, with a server's semantics: for the tests
 * of whoever uses idemstore. Nothing is shared with another process, and
 * nothing outlives it.
 */
public final class InMemoryIdemStore extends StoreCalls {
    /** A waiter looks so often, where a clock of the test's own moved. */
    private static final long LOOK_MS = 20;

    private final LongSupplier clockMs;
    private final Machine machine;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final AtomicLong calls = new AtomicLong();
    private final Executor executor = ForkJoinPool.commonPool();
    private volatile IdemException failing;
    private volatile boolean closed;

    /** With the system's clock. */
    public InMemoryIdemStore() {
        this("", () -> System.nanoTime() / 1_000_000);
    }

    /**
     * @param namespace of keys that have none of their own
     * @param clockMs milliseconds of any clock: one of the test's own lets a
     *     lease end without waiting for it
     */
    public InMemoryIdemStore(String namespace, LongSupplier clockMs) {
        this(namespace, clockMs, 1 << 20, null);
    }

    /**
     * @param resultBytesMax of a longer result nothing is kept
     * @param listener hears of each call, or null
     */
    public InMemoryIdemStore(String namespace, LongSupplier clockMs,
            int resultBytesMax, IdemListener listener) {
        super(namespace, listener);
        this.clockMs = clockMs;
        this.machine = new Machine(resultBytesMax);
    }

    /**
     * From now on each call throws that; null: no call does. For tests of
     * what happens while the store is away.
     */
    public void failWith(IdemException why) {
        failing = why;
    }

    @Override
    Object ask(Call call) {
        calls.incrementAndGet();
        IdemException why = failing;
        if (why != null) {
            throw new IdemException(why.code(), why.getMessage())
                    .withNonce(call.nonce);
        }
        if (closed) {
            throw new IdemException(ErrorCode.CLOSED,
                    "the store was closed; nothing was sent");
        }
        call.sentNs = System.nanoTime();
        lock.lock();
        try {
            if (call.waitMs > 0) {
                return await(call);
            }
            Object answer = machine.answer(call, clockMs.getAsLong());
            changed.signalAll();
            return answer;
        } finally {
            lock.unlock();
        }
    }

    private Object await(Call call) {
        long end = clockMs.getAsLong() + call.waitMs;
        machine.queueUp(call);
        try {
            while (true) {
                long now = clockMs.getAsLong();
                Object answer = machine.answer(call, now);
                if (!(answer instanceof InProgress) || now >= end || closed) {
                    return answer;
                }
                changed.await(LOOK_MS, TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
            throw new IdemException(ErrorCode.INTERRUPTED,
                    "the thread was interrupted while it waited")
                    .withNonce(call.nonce);
        } finally {
            machine.leaveQueue(call);
            changed.signalAll();
        }
    }

    @Override
    CompletableFuture<Object> askLater(Call call) {
        if (call.waitMs > 0) {
            return CompletableFuture.supplyAsync(() -> ask(call), executor);
        }
        try {
            return CompletableFuture.completedFuture(ask(call));
        } catch (IdemException why) {
            return CompletableFuture.failedFuture(why);
        }
    }

    @Override
    public int resultBytesMax() {
        return machine.resultBytesMax;
    }

    @Override
    public StoreStatus status() {
        return new StoreStatus("memory", 1, closed ? 0 : 1, false,
                calls.get(), 0, 0, 0, 0, 0, 0, 0);
    }

    @Override
    public void close() {
        closed = true;
        renewer.close();
    }
}
