// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The store's own thread: it reads all connections, and carries out what
 * belongs to it. Made for the first call.
 */
final class Loop {
    private static final int READ_BYTES = 65536;

    private record Timer(long at, long number, Runnable work) {
    }

    private final Selector selector;
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final PriorityQueue<Timer> timers = new PriorityQueue<>(
            Comparator.comparingLong(Timer::at)
            .thenComparingLong(Timer::number));
    private final Queue<Link> toWrite = new ConcurrentLinkedQueue<>();
    private final Set<Link> links = new LinkedHashSet<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(READ_BYTES);
    private final ReentrantLock ending = new ReentrantLock();
    private final Thread thread;
    private long timerNumber;
    private long now = Ticks.now();
    /** What the last turn saw to be due next. */
    private long due = Ticks.NEVER;
    private boolean ends;
    private volatile boolean ended;
    /** When the loop looks around at the latest; 0 while it does. */
    private volatile long wakeAt;

    Loop() throws IOException {
        selector = Selector.open();
        thread = new Thread(this::run, "idemstore-io");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    boolean isMe() {
        return Thread.currentThread() == thread;
    }

    /** Of this turn; the loop's thread. */
    long now() {
        return now;
    }

    /** Any thread: that is done by the loop. */
    void execute(Runnable work) {
        tasks.add(work);
        if (ended) {
            runLeft();
        } else if (!isMe()) {
            selector.wakeup();
        }
    }

    /** Any thread: the loop looks around by then. */
    void wakeBefore(long at) {
        if (at < wakeAt) {
            selector.wakeup();
        }
    }

    /**
     * Any thread: what that link has to write is written at the end of this
     * turn, with what others add until then. False: the loop sleeps.
     */
    boolean willWrite(Link link) {
        if (wakeAt != 0) {
            return false;
        }
        toWrite.add(link);
        if (wakeAt != 0) {
            selector.wakeup(); // it has just begun to sleep
        }
        return true;
    }

    /** The loop's thread. */
    void at(long when, Runnable work) {
        timers.add(new Timer(when, ++timerNumber, work));
    }

    SelectionKey register(SocketChannel channel, Link link)
            throws IOException {
        SelectionKey key = channel.register(selector, SelectionKey.OP_READ,
                link);
        links.add(link);
        return key;
    }

    void forget(Link link) {
        links.remove(link);
    }

    /** The loop's thread: this turn is the last. */
    void end() {
        ends = true;
    }

    /** Waits for the thread's end, for a while. */
    void join() {
        if (isMe() || !thread.isAlive()) {
            return;
        }
        try {
            thread.join(2000);
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        while (!ends) {
            try {
                turn();
            } catch (IOException | RuntimeException why) {
                System.getLogger("io.idemstore").log(
                        System.Logger.Level.ERROR,
                        "a turn of the store's loop failed", why);
            }
        }
        ended = true;
        runLeft();
        try {
            selector.close();
        } catch (IOException why) {
            // it is closed
        }
    }

    /** What came too late for the loop, and what waited for its time. */
    private void runLeft() {
        ending.lock();
        try {
            while (!timers.isEmpty()) {
                timers.poll().work.run();
            }
            for (Runnable one = tasks.poll(); one != null;
                    one = tasks.poll()) {
                one.run();
            }
        } finally {
            ending.unlock();
        }
    }

    private void turn() throws IOException {
        wakeAt = 0;
        now = Ticks.now();
        if (now >= due) {
            // We may have been held up: what has arrived comes before what is
            // late.
            selector.selectNow(this::ready);
        }
        for (Runnable one = tasks.poll(); one != null; one = tasks.poll()) {
            one.run();
        }
        runTimers();
        wakeAt = nextTimer();
        // From here on a call that has to be looked after sooner wakes us;
        // those that came before are seen now.
        long next = Math.min(checkLinks(), nextTimer());
        due = next;
        wakeAt = next;
        for (Link one = toWrite.poll(); one != null; one = toWrite.poll()) {
            one.flush();
        }
        if (!tasks.isEmpty() || ends) {
            return;
        }
        selectUntil(next);
    }

    private void runTimers() {
        while (!timers.isEmpty() && timers.peek().at <= now) {
            timers.poll().work.run();
        }
    }

    private long nextTimer() {
        return timers.isEmpty() ? Ticks.NEVER : timers.peek().at;
    }

    private long checkLinks() {
        long next = Ticks.NEVER;
        for (Link one : links.isEmpty() ? Set.<Link>of()
                : new ArrayList<>(links)) {
            next = Math.min(next, one.check(now));
        }
        return next;
    }

    private void selectUntil(long at) throws IOException {
        if (at == Ticks.NEVER) {
            selector.select(this::ready);
            return;
        }
        long left = at - Ticks.now();
        if (left <= 0) {
            selector.selectNow(this::ready);
        } else {
            selector.select(this::ready, (left + Ticks.MS - 1) / Ticks.MS);
        }
    }

    private void ready(SelectionKey key) {
        Link link = (Link) key.attachment();
        wakeAt = 0; // awake: there is another turn behind this
        now = Ticks.now();
        if (key.isValid() && key.isWritable()) {
            link.writable();
        }
        if (key.isValid() && key.isReadable()) {
            link.readable(buffer);
        }
    }
}
