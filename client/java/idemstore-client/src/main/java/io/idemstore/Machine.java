// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * The server's state machine, for tests without a server: the same answers to
 * the same calls. Pure: time is an argument, milliseconds of any clock. No
 * thread, no waiting: who waits asks again when something has changed.
 */
final class Machine {
    private static final class Row {
        State state = State.IN_PROGRESS;
        byte[] fingerprint;
        byte[] nonce;
        Token token;
        long attempt;
        Previous previous = Previous.NONE;
        long since;
        long leaseEnd;
        long ttl;
        long ttlEnd;
        byte[] result;
        boolean isError;
    }

    final int resultBytesMax;
    private final Map<Key, Row> rows = new HashMap<>();
    private final Map<Key, Deque<Call>> queues = new HashMap<>();
    private long sequence;

    Machine(int resultBytesMax) {
        this.resultBytesMax = resultBytesMax;
    }

    private static Key at(Call call) {
        return Key.of(call.ns, call.key);
    }

    private Row row(Call call, long now) {
        Row row = rows.get(at(call));
        if (row != null && now >= row.ttlEnd) {
            rows.remove(at(call));
            return null;
        }
        if (row != null && row.state == State.IN_PROGRESS
                && now >= row.leaseEnd) {
            row.state = State.ORPHANED;
            row.since = row.leaseEnd;
        }
        return row;
    }

    private static void enter(Row row, State state, long now) {
        row.state = state;
        row.since = now;
        row.ttlEnd = now + row.ttl;
    }

    // ------------------------------------------------------------- waiting

    /** Queues up for the call's key. */
    void queueUp(Call call) {
        queues.computeIfAbsent(at(call), key -> new ArrayDeque<>()).add(call);
    }

    void leaveQueue(Call call) {
        Deque<Call> queue = queues.get(at(call));
        queue.remove(call);
        if (queue.isEmpty()) {
            queues.remove(at(call));
        }
    }

    /** The first one alone may be granted what is released or orphaned. */
    boolean isFirst(Call call) {
        Deque<Call> queue = queues.get(at(call));
        return queue == null || queue.peek() == call;
    }

    // --------------------------------------------------------------- calls

    Object answer(Call call, long now) {
        return switch (call.method) {
            case ACQUIRE -> acquire(call, now);
            case PEEK -> peek(call, now);
            case PING -> "pong";
            case STATS -> Map.of("records", (long) rows.size());
            default -> settle(call, now);
        };
    }

    private Acquired grant(Row row, Call call, long now, Previous previous) {
        row.token = Token.wrap(ByteBuffer.allocate(Token.BYTES).putLong(1)
                .putLong(++sequence).array());
        row.attempt++;
        row.previous = previous;
        row.nonce = call.nonce;
        if (row.fingerprint == null && call.fingerprint != null
                && call.fingerprint.length > 0) {
            row.fingerprint = call.fingerprint;
        }
        row.ttl = call.ttlMs;
        enter(row, State.IN_PROGRESS, now);
        row.leaseEnd = now + call.leaseMs;
        return granted(row, call);
    }

    private static Acquired granted(Row row, Call call) {
        return new Acquired(row.token, row.attempt, row.previous,
                call.leaseMs, call.nonce, call.sentNs);
    }

    private AcquireAnswer acquire(Call call, long now) {
        Row row = row(call, now);
        if (row == null) {
            row = new Row();
            rows.put(at(call), row);
            return grant(row, call, now, Previous.NONE);
        }
        if (call.fingerprint != null && call.fingerprint.length > 0
                && row.fingerprint != null
                && !Arrays.equals(call.fingerprint, row.fingerprint)) {
            return new Mismatch(row.state);
        }
        if (row.state == State.COMPLETED) {
            return new Replay(row.result, row.isError, now - row.since,
                    row.ttlEnd - now);
        }
        if (row.state != State.RELEASED
                && Arrays.equals(call.nonce, row.nonce)) {
            row.ttl = call.ttlMs;
            again(row, call.leaseMs, now);
            return granted(row, call);
        }
        return held(row, call, now);
    }

    private AcquireAnswer held(Row row, Call call, long now) {
        if (row.state == State.IN_PROGRESS || !isFirst(call)) {
            return new InProgress(Math.max(row.leaseEnd - now, 0),
                    row.attempt, now - row.since);
        }
        if (row.state == State.ORPHANED
                && call.onOrphan == OnOrphan.REPORT) {
            return new Orphaned(now - row.since, row.attempt);
        }
        return grant(row, call, now, row.state == State.ORPHANED
                ? Previous.ORPHANED : Previous.RELEASED);
    }

    private Answer settle(Call call, long now) {
        Row row = row(call, now);
        if (row == null) {
            return new NoRecord();
        }
        return switch (call.method) {
            case COMPLETE -> complete(row, call, now);
            case RELEASE -> release(row, call, now);
            default -> renew(row, call, now);
        };
    }

    private static boolean holds(Row row, Call call) {
        return row.token.equals(call.token);
    }

    private CompleteAnswer complete(Row row, Call call, long now) {
        if (!holds(row, call) || row.state == State.RELEASED) {
            return new Stale(row.state);
        }
        if (row.state == State.COMPLETED) {
            return new Completed(row.result != null, row.ttl);
        }
        byte[] result = call.result;
        row.result = result == null || result.length > resultBytesMax
                ? null : result.clone();
        row.isError = call.isError;
        row.ttl = call.ttlMs > 0 ? call.ttlMs : row.ttl;
        enter(row, State.COMPLETED, now);
        return new Completed(row.result != null, row.ttl);
    }

    private ReleaseAnswer release(Row row, Call call, long now) {
        if (!holds(row, call) || row.state == State.COMPLETED) {
            return new Stale(row.state);
        }
        if (row.state == State.RELEASED) {
            return new Released(); // its first reply was lost
        }
        if (call.unbind) {
            rows.remove(at(call));
        } else {
            enter(row, State.RELEASED, now);
        }
        return new Released();
    }

    private RenewAnswer renew(Row row, Call call, long now) {
        if (!holds(row, call) || row.state == State.COMPLETED
                || row.state == State.RELEASED) {
            return new Stale(row.state);
        }
        long leaseMs = Math.min(call.leaseMs, row.ttl);
        again(row, leaseMs, now);
        return new Renewed(leaseMs);
    }

    /** A lease from now on, of the same claim. */
    private static void again(Row row, long leaseMs, long now) {
        if (row.state == State.IN_PROGRESS) {
            row.ttlEnd = now + row.ttl;
        } else {
            enter(row, State.IN_PROGRESS, now);
        }
        row.leaseEnd = now + leaseMs;
    }

    private Peeked peek(Call call, long now) {
        Row row = row(call, now);
        if (row == null) {
            return new Peeked(State.ABSENT, -1, -1, -1, -1, -1, null);
        }
        boolean done = row.state == State.COMPLETED;
        return new Peeked(row.state, now - row.since, row.attempt,
                row.state == State.IN_PROGRESS ? row.leaseEnd - now : -1,
                row.ttlEnd - now,
                done && row.result != null ? row.result.length : -1,
                done ? row.isError ? "error" : "success" : null);
    }
}
