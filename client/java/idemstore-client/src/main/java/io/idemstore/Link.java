// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLException;

/**
 * One connection that any number of threads call on. Whoever calls writes its
 * own request, or leaves it to a writer that is at it; the loop's thread reads,
 * and looks after deadlines and silence.
 */
final class Link {
    /** So long without a byte is silence. */
    static final long LISTEN = 250 * Ticks.MS;
    /** A server that shuts down answers what it has, within so long. */
    static final long DRAIN = 5_000 * Ticks.MS;
    static final String MOVED = "the store has moved to another server";

    final Hello hello;
    final Endpoint endpoint;
    final int serial;
    final SharedConnection shared;
    private final SocketChannel channel;
    private final Sealer sealer;
    private final Loop loop;
    private final long silence;
    private final ReentrantLock lock = new ReentrantLock();

    // Under the lock.
    private final Pending pending;
    private final Outbox out;
    private long nextCheck = Ticks.NEVER;
    private long busySince;
    private boolean used;
    private boolean draining;
    private volatile String broken;

    // The loop's.
    private SelectionKey key;
    private long lastHeard;
    private final Inbox in;
    private boolean probing;
    private boolean probed;
    private long probeId;
    private long probeAt;
    private long drainEnd = Ticks.NEVER;
    private boolean leads;
    private long helloId;

    Link(Dialer.Dialed dialed, SharedConnection shared, int serial, Loop loop,
            long silence) {
        this.hello = dialed.hello();
        this.endpoint = dialed.endpoint();
        this.channel = dialed.channel();
        this.sealer = dialed.sealer();
        this.shared = shared;
        this.serial = serial;
        this.loop = loop;
        this.silence = silence;
        this.out = new Outbox(channel, sealer, lock);
        this.pending = new Pending(hello.pendingMax());
        this.in = new Inbox(
                hello.frameBytesMax() + Wire.FRAME_BYTES_MORE);
        this.lastHeard = Ticks.now();
        this.leads = hello.leads();
    }

    void register() throws IOException {
        key = loop.register(channel, this);
    }

    boolean isBroken() {
        return broken != null;
    }

    boolean isDraining() {
        return drainEnd != Ticks.NEVER;
    }

    // ------------------------------------------------------------- asking

    /** Any thread. False: not here, not now. */
    boolean offer(Course course) {
        boolean writes;
        lock.lock();
        try {
            if (broken != null || draining || pending.isFull()
                    || out.isFull()) {
                return false;
            }
            long now = Ticks.now();
            if (pending.isEmpty()) {
                busySince = now;
            }
            used = true;
            course.write(out.open(), pending.add(course), now,
                    hello.resultBytesMax());
            course.endAt = out.end();
            long due = Math.min(course.attemptEnd, now + LISTEN);
            if (due < nextCheck) {
                nextCheck = due;
                loop.wakeBefore(due);
            }
            writes = out.becomeWriter();
        } finally {
            lock.unlock();
        }
        if (writes && !loop.willWrite(this)) {
            flush();
        }
        return true;
    }

    // ------------------------------------------------------------ writing

    /** By who has become the writer. */
    void flush() {
        try {
            if (!out.write()) {
                loop.execute(this::waitToWrite);
            }
        } catch (IOException why) {
            String words = why.getMessage();
            loop.execute(() -> breakOff(words == null
                    ? "it can't be written to" : words));
        }
    }

    private void waitToWrite() {
        if (broken == null) {
            key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
        }
    }

    /** The loop: the socket takes bytes again. */
    void writable() {
        key.interestOps(SelectionKey.OP_READ);
        flush();
        shared.roomMade();
    }

    /** The loop: TLS has something to say of itself. */
    private void say() {
        boolean writes;
        lock.lock();
        try {
            writes = out.becomeWriter();
        } finally {
            lock.unlock();
        }
        if (writes) {
            flush();
        } // else the writer sees it
    }

    // ------------------------------------------------------------ reading

    /** The loop: bytes are there. */
    void readable(ByteBuffer buffer) {
        try {
            while (broken == null) {
                buffer.clear();
                int count = channel.read(buffer);
                if (count < 0) {
                    breakOff("it closed the connection");
                    return;
                }
                if (count == 0) {
                    return;
                }
                lastHeard = loop.now();
                hear(buffer.flip());
                if (count < buffer.capacity()) {
                    return;
                }
            }
        } catch (Unpacker.Malformed why) {
            breakOff("it sent " + why.getMessage());
        } catch (SSLException why) {
            breakOff(String.valueOf(why.getMessage()));
        } catch (IOException why) {
            breakOff(why.getMessage() == null ? "it can't be read from"
                    : why.getMessage());
        }
    }

    private void hear(ByteBuffer raw)
            throws Unpacker.Malformed, SSLException {
        if (sealer == null) {
            take(raw);
            return;
        }
        sealer.feed(raw);
        for (ByteBuffer plain = sealer.open(); plain != null;
                plain = sealer.open()) {
            take(plain);
        }
        if (sealer.wantsToSay()) {
            say();
        }
    }

    private void take(ByteBuffer more) throws Unpacker.Malformed {
        in.add(more);
        for (Object[] f = in.next(); f != null; f = in.next()) {
            answered(f);
        }
    }

    private void answered(Object[] f) {
        long msgid = (Long) f[1];
        if (probing && msgid == probeId) {
            probing = false;
            probed = true;
            return;
        }
        if (helloId != 0 && msgid == helloId) {
            helloId = 0;
            shared.learnAgain(this, Hello.read(f[3]));
            return;
        }
        Course course;
        lock.lock();
        try {
            course = pending.remove(msgid);
        } finally {
            lock.unlock();
        }
        if (course == null) {
            return; // too late for its caller
        }
        // What answers is worth dialling at once when it is lost.
        shared.backoff.attempts = 0;
        String error = f[2] == null ? null : Wire.text((byte[]) f[2]);
        if (error != null && error.startsWith("SHUTTING_DOWN")
                && !isDraining()) {
            drain();
        }
        Course.Lost lost = course.answered(endpoint.name(), serial, error,
                f[3]);
        if (!leads && lost == null && course.call.method.isChange) {
            helloAgain();
        }
        shared.store.attemptEnded(course, lost);
        if (isDraining() && isIdle()) {
            breakOff("it is shutting down");
        }
        shared.roomMade();
    }

    /** It was a replica when it said hello, and leads now: which, and how? */
    private void helloAgain() {
        leads = true;
        boolean writes;
        lock.lock();
        try {
            helloId = pending.number();
            shared.store.dialer.hello(out.open(), helloId, -1);
            writes = out.becomeWriter();
        } finally {
            lock.unlock();
        }
        if (writes) {
            flush();
        }
    }

    private void drain() {
        drainEnd = loop.now() + DRAIN;
        lock.lock();
        try {
            draining = true;
        } finally {
            lock.unlock();
        }
    }

    // --------------------------------------------- deadlines and silence

    /** The loop: looks around where it is time, and says when it is next. */
    long check(long now) {
        boolean moved = serial != shared.store.selector.serial();
        if (moved && isIdle()) {
            breakOff(MOVED);
            return Ticks.NEVER;
        }
        lock.lock();
        try {
            if (now < nextCheck) {
                return nextCheck;
            }
        } finally {
            lock.unlock();
        }
        if (moved) {
            breakOff(MOVED);
            return Ticks.NEVER;
        }
        expire(now);
        if (drainEnd <= now || isDraining() && isIdle()) {
            breakOff("it is shutting down");
            return Ticks.NEVER;
        }
        checkSilence(now);
        return broken != null ? Ticks.NEVER : plan(now);
    }

    private boolean isIdle() {
        lock.lock();
        try {
            return pending.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    private void expire(long now) {
        Course[] late;
        lock.lock();
        try {
            late = pending.removeLate(now);
        } finally {
            lock.unlock();
        }
        for (Course one : late) {
            shared.store.attemptEnded(one, new Course.Lost(
                    Errors.timedOut(endpoint.name()), serial, true));
        }
        if (late.length > 0) {
            shared.roomMade();
        }
    }

    /**
     * A server that is gone without a close is told from one that lets a call
     * wait by a ping: one that is alive answers it at once.
     */
    private void checkSilence(long now) {
        long quietSince;
        long left;
        boolean anyLate;
        lock.lock();
        try {
            if (pending.isEmpty()) {
                return;
            }
            quietSince = Math.max(lastHeard, busySince);
            left = pending.longestLeft(now);
            anyLate = pending.hasQuickChangeBefore(now - LISTEN);
        } finally {
            lock.unlock();
        }
        if (now - quietSince < LISTEN) {
            probed = false;
            return;
        }
        if (!probing) {
            if (probed && anyLate) {
                // It is alive, and confirms no change.
                shared.store.watch.changesWait = true;
            }
            probe(now);
        } else if (now - Math.max(probeAt, lastHeard)
                >= Math.max(LISTEN, Math.min(left / 3, silence))) {
            shared.store.selector.failed(serial);
            breakOff("it has gone silent");
        }
    }

    private void probe(long now) {
        boolean writes;
        lock.lock();
        try {
            probeId = pending.number();
            Wire.request(out.open(), probeId, new Call(Call.Method.PING,
                    new byte[0], new byte[0]), 0, false);
            writes = out.becomeWriter();
        } finally {
            lock.unlock();
        }
        probing = true;
        probeAt = now;
        if (writes) {
            flush();
        }
    }

    private long plan(long now) {
        lock.lock();
        try {
            if (pending.isEmpty() && !used && !isDraining()) {
                nextCheck = Ticks.NEVER;
            } else {
                // Looks again a while after the last call, so that one call
                // after another need not wake the loop.
                nextCheck = Math.min(now + LISTEN, Math.min(drainEnd,
                        pending.earliestEnd()));
                if (probing) {
                    nextCheck = Math.min(nextCheck, now + LISTEN / 5);
                }
            }
            used = false;
            return nextCheck;
        } finally {
            lock.unlock();
        }
    }

    // ------------------------------------------------------------ its end

    /** The loop. Calls under way are lost. */
    void breakOff(String why) {
        Course[] lost;
        lock.lock();
        try {
            if (broken != null) {
                return;
            }
            broken = why;
            out.close();
            lost = pending.removeAll();
        } finally {
            lock.unlock();
        }
        shared.store.watch.losses.incrementAndGet();
        loop.forget(this);
        try {
            channel.close();
        } catch (IOException gone) {
            // it is closed
        }
        shared.lost(this);
        IdemException error = Errors.lost(endpoint.name(), why);
        for (Course one : lost) {
            shared.store.attemptEnded(one, new Course.Lost(error, serial,
                    out.isWritten(one.endAt)));
        }
    }
}
