// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.net.SocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which server a store's connections lead to, and what it said of itself.
 * Belongs to the store's own thread; view and counts may be read by any.
 */
final class EndpointSelector {
    /**
     * How long a primary of a lower epoch than another one had is not
     * believed: longer than a failover takes, and not for ever, where an
     * operator did go back to the older one.
     */
    static final long DOUBT = 10_000 * Ticks.MS;

    /**
     * @param serial grows whenever the server changes: a connection that was
     *     made under another one belongs to another server
     * @param shards 0: not known yet
     */
    record View(int serial, int shards, SipHash hash) {

        /** The shard that owns the key; -1 while it is not known. */
        int route(Call call) {
            if (shards <= 1 || call.key.length == 0) {
                return shards - 1 < 0 ? -1 : 0;
            }
            return hash.owner(call.ns, call.key, shards);
        }
    }

    final List<Endpoint> endpoints;
    final boolean shardAware;
    /** Endpoint's name: the address that answered. */
    final Map<String, SocketAddress> good = new HashMap<>();
    volatile View view = new View(1, 0, null);
    volatile String primary = "";
    volatile long epoch;
    volatile long follows;
    private int index;
    private Endpoint redirect;
    private Endpoint epochAt;
    private long doubtEnd = Ticks.NEVER;

    EndpointSelector(List<Endpoint> endpoints, boolean shardAware) {
        this.endpoints = endpoints;
        this.shardAware = shardAware;
    }

    int serial() {
        return view.serial;
    }

    Endpoint get() {
        return redirect != null ? redirect : endpoints.get(index);
    }

    private void moved() {
        view = new View(view.serial + 1, 0, null);
    }

    private void moveOn() {
        if (endpoints.size() == 1 && redirect == null) {
            return; // there is no other
        }
        redirect = null;
        index = (index + 1) % endpoints.size();
        moved();
    }

    /** It can't be reached, or wants no more calls: the next one's turn. */
    void failed(int serial) {
        if (view.serial == serial) {
            moveOn();
        }
    }

    /** It named the primary; what is no endpoint counts as failed. */
    void redirect(int serial, String named) {
        if (view.serial != serial) {
            return;
        }
        try {
            Endpoint to = Endpoint.parse(named, 0);
            int known = endpoints.indexOf(to);
            redirect = known < 0 ? to : null;
            index = known < 0 ? index : known;
            moved();
        } catch (IllegalArgumentException why) {
            moveOn();
        }
    }

    /** It no longer is what it told: each connection asks it anew. */
    void unlearn(int serial) {
        if (view.serial == serial) {
            moved();
        }
    }

    private boolean believes(Endpoint at, Hello hello, long now) {
        if (!hello.leads()) {
            return true; // it names the primary, or none
        }
        if (hello.epoch() < epoch && !at.equals(epochAt)) {
            if (doubtEnd == Ticks.NEVER) {
                doubtEnd = now + DOUBT;
            }
            if (now < doubtEnd) {
                return false;
            }
        }
        epoch = hello.epoch();
        epochAt = at;
        doubtEnd = Ticks.NEVER;
        if (!primary.isEmpty() && !primary.equals(at.name())) {
            follows++;
        }
        primary = at.name();
        return true;
    }

    /**
     * What hello told. An error when it calls itself the primary in an epoch
     * that is over: another is to be looked for first.
     */
    IdemException learn(Endpoint at, int serial, Hello hello, long now) {
        if (!believes(at, hello, now)) {
            return IdemException.at(ErrorCode.CONNECT, at.name(), at.name()
                    + " calls itself the primary of epoch " + hello.epoch()
                    + ", but " + epochAt.name() + " was the primary of epoch "
                    + epoch + "; if the older one is meant to go on, it is "
                    + "believed after " + DOUBT / Ticks.MS / 1000 + " s");
        }
        if (view.serial == serial) {
            boolean spread = shardAware && hello.leads();
            view = new View(serial, spread ? hello.shards() : 1,
                    new SipHash(hello.hashKey()));
        }
        return null;
    }
}
