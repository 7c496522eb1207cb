// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Iterator;

/**
 * The connection to one shard, coming and going, and the calls that wait for
 * it. Belongs to the loop's thread, but for `link`.
 */
final class SharedConnection {
    final NetStore store;
    final int shard;
    final Backoff backoff = new Backoff();
    volatile Link link;
    private final ArrayDeque<Course> waiting = new ArrayDeque<>();
    private boolean dialing;
    private long retryAt;
    private long pumpAt = Ticks.NEVER;
    private IdemException why;
    private int dials;
    private String endpointName = "";

    SharedConnection(NetStore store, int shard) {
        this.store = store;
        this.shard = shard;
    }

    /** Sends it, or lets it wait for a connection. */
    void up(Course course) {
        course.dialsBefore = dials;
        waiting.add(course);
        pump();
    }

    /** Sends what waits as far as it can be; dials where that is to be. */
    void pump() {
        dropOver(store.loop.now());
        if (waiting.isEmpty()) {
            return;
        }
        Link to = usable();
        while (to != null && !waiting.isEmpty()
                && to.offer(waiting.peek())) {
            waiting.poll();
        }
        if (waiting.isEmpty()) {
            return;
        }
        long now = store.loop.now();
        if (to == null && !dialing && link == null) {
            if (now >= retryAt) {
                dial(now);
            } else {
                pumpAt(retryAt);
            }
        }
        pumpAt(earliest(now));
    }

    private long earliest(long now) {
        // One that drains is looked at again soon.
        long at = link != null && link.isDraining()
                ? now + Link.LISTEN / 5 : Ticks.NEVER;
        for (Course one : waiting) {
            at = Math.min(at, one.deadline);
        }
        return at;
    }

    private void pumpAt(long at) {
        if (at < pumpAt) {
            pumpAt = at;
            store.loop.at(at, () -> {
                if (pumpAt == at) {
                    pumpAt = Ticks.NEVER;
                    pump();
                }
            });
        }
    }

    void roomMade() {
        if (!waiting.isEmpty()) {
            pump();
        }
    }

    private Link usable() {
        Link now = link;
        if (now != null && now.serial != store.selector.serial()) {
            now.breakOff(Link.MOVED);
            return null;
        }
        return now == null || now.isBroken() || now.isDraining() ? null : now;
    }

    private boolean isEnough(Course course) {
        long enough = store.uri.number("connect_rounds")
                * store.selector.endpoints.size();
        return enough > 0 && enough <= dials - course.dialsBefore;
    }

    private void dropOver(long now) {
        for (int left = waiting.size(); left > 0; left--) {
            Course one = waiting.poll();
            if (one == null) {
                return;
            }
            if (one.isDone()) {
                store.attemptEnded(one, null);
            } else if (now >= one.deadline || isEnough(one)) {
                store.attemptEnded(one, givenUp());
            } else {
                waiting.add(one);
            }
        }
    }

    private Course.Lost givenUp() {
        Link now = link;
        IdemException told = why;
        if (now != null) {
            told = Errors.full(now.endpoint.name());
        } else if (told == null) {
            told = Errors.unsent(endpointName.isEmpty()
                    ? store.selector.get().name() : endpointName);
        }
        return new Course.Lost(told, store.selector.serial(), false);
    }

    // ------------------------------------------------------------ dialling

    /**
     * A server that takes the connection and says nothing may not eat the
     * whole deadline where there is another one.
     */
    private long dialEnd(long now, long deadline) {
        long left = Math.max(deadline - now, 0);
        int count = store.selector.endpoints.size();
        if (count > 1) {
            int done = (backoff.attempts - 1) % count;
            left /= Math.max(count - done, 2);
        }
        return now + Math.min(store.uri.ticks("connect_timeout_ms"), left);
    }

    private void dial(long now) {
        dialing = true;
        backoff.attempts++;
        dials++;
        Endpoint endpoint = store.selector.get();
        int serial = store.selector.serial();
        endpointName = endpoint.name();
        long deadline = waiting.peek().deadline;
        long until = dialEnd(now, deadline);
        int asked = store.selector.shardAware ? shard : -1;
        var good = store.selector.good.get(endpointName);
        Thread dialer = new Thread(() -> {
            Dialer.Dialed made = null;
            IdemException error = null;
            try {
                made = store.dialer.dial(endpoint, asked, until, good);
            } catch (IdemException told) {
                error = told;
            } catch (RuntimeException | Error bug) {
                error = Errors.cannotConnect(endpoint.name(),
                        bug.toString());
            }
            Dialer.Dialed dialed = made;
            IdemException failed = error;
            store.loop.execute(() -> dialed(endpoint, serial, dialed,
                    failed, deadline));
        }, "idemstore-dial");
        dialer.setDaemon(true);
        dialer.start();
    }

    private void dialed(Endpoint endpoint, int serial,
            Dialer.Dialed dialed, IdemException failed, long deadline) {
        dialing = false;
        long now = store.loop.now();
        IdemException error = failed;
        if (error == null) {
            store.selector.good.put(endpoint.name(), dialed.address());
            error = store.isClosed() ? Errors.closed()
                    : store.selector.learn(endpoint, serial, dialed.hello(),
                            now);
        }
        if (error == null) {
            error = joined(dialed, serial);
        }
        if (error != null) {
            if (dialed != null) {
                close(dialed);
            }
            // One that the call's own end cut short says less than the one
            // before.
            if (why == null || now < deadline) {
                why = error;
            }
            dialFailed(error, serial, now);
        }
        pump();
    }

    private IdemException joined(Dialer.Dialed dialed, int serial) {
        Link made = new Link(dialed, this, serial, store.loop,
                store.uri.ticks("connect_timeout_ms"));
        try {
            made.register();
        } catch (IOException error) {
            return Errors.cannotTalk(dialed.endpoint().name(),
                    String.valueOf(error.getMessage()));
        }
        link = made;
        why = null;
        store.watch.connects.incrementAndGet();
        store.connected(dialed.hello());
        return null;
    }

    /** What a connection's server has become since its hello. */
    void learnAgain(Link of, Hello hello) {
        if (hello == null || of.serial != store.selector.serial()) {
            return;
        }
        IdemException doubt = store.selector.learn(of.endpoint, of.serial,
                hello, store.loop.now());
        if (doubt != null) {
            store.selector.failed(of.serial);
            of.breakOff(doubt.getMessage());
        }
    }

    private static void close(Dialer.Dialed dialed) {
        try {
            dialed.channel().close();
        } catch (IOException gone) {
            // it is closed
        }
    }

    private void dialFailed(IdemException error, int serial, long now) {
        pause(now);
        // A server with fewer threads than there were refuses higher ones.
        if (error.code() == ErrorCode.BAD_REQUEST && shard > 0) {
            store.selector.unlearn(serial);
            endAll(new Course.Lost(Errors.lost(endpointName,
                    "it has fewer shards than it had"), serial, false));
            return;
        }
        if (error.code() != ErrorCode.DENIED) {
            store.selector.failed(serial);
        }
        switch (error.code()) {
            // What another attempt would not change.
            case DENIED, BAD_REQUEST, UNKNOWN_METHOD, TLS, CLOSED ->
                endAll(new Course.Lost(error, serial, false));
            default -> { }
        }
    }

    private void endAll(Course.Lost lost) {
        Iterator<Course> all = new ArrayDeque<>(waiting).iterator();
        waiting.clear();
        all.forEachRemaining(one -> store.attemptEnded(one, lost));
    }

    private void pause(long now) {
        retryAt = now + backoff.pause(store.selector.endpoints.size());
    }

    // ------------------------------------------------------------ its end

    /** That connection is broken. */
    void lost(Link gone) {
        if (link == gone) {
            link = null;
            pause(store.loop.now());
        }
    }

    void close() {
        if (link != null) {
            link.breakOff("the store was closed");
        }
        endAll(new Course.Lost(Errors.closed(), 0, false));
    }
}
