// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What goes out on a connection. Whoever adds bytes writes them, unless
 * somebody is at it: then that one takes them along.
 */
final class Outbox {
    /** What may wait to be written; more calls wait for it. */
    private static final int BYTES_MAX = 4 << 20;
    private static final int KEPT_MAX = 65536;
    private static final int CHUNK = 16384;

    private final SocketChannel channel;
    private final Sealer sealer;
    private final ReentrantLock lock;

    // Under the lock.
    private Packer out = new Packer(1024);
    private long queued;
    private boolean writing;
    private boolean closed;

    // The writer's, of whom there is one.
    private Packer taken = new Packer(1024);
    private int takenAt;
    private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    private ByteBuffer sealed = ByteBuffer.allocate(0);
    private volatile long written;

    /** @param lock its connection's */
    Outbox(SocketChannel channel, Sealer sealer, ReentrantLock lock) {
        this.channel = channel;
        this.sealer = sealer;
        this.lock = lock;
    }

    // ------------------------------------------------------ under the lock

    boolean isFull() {
        return out.size() > BYTES_MAX;
    }

    /** Where requests are written to. */
    Packer open() {
        return out;
    }

    /** Its last byte among all of the connection. */
    long end() {
        return queued + out.size();
    }

    /** True: who asks is the writer now, and calls write without the lock. */
    boolean becomeWriter() {
        boolean became = !writing;
        writing = true;
        return became;
    }

    /** Nothing more is written. */
    void close() {
        closed = true;
    }

    // --------------------------------------------------- without the lock

    /** Whether the byte before that went out. */
    boolean isWritten(long end) {
        return end <= written;
    }

    /** By the writer. False: it is stuck, and writer still. */
    boolean write() throws IOException {
        do {
            if (!writeTaken()) {
                return false;
            }
        } while (takeMore());
        return true;
    }

    private boolean takeMore() {
        lock.lock();
        try {
            boolean mustSay = sealer != null && sealer.wantsToSay();
            if (out.size() == 0 && !mustSay || closed) {
                writing = false;
                return false;
            }
            queued += out.size();
            Packer empty = taken;
            empty.clear(KEPT_MAX);
            taken = out;
            takenAt = 0;
            out = empty;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** False: the socket takes no more for now. */
    private boolean writeTaken() throws IOException {
        do {
            if (sealer != null ? !writeSealed() : !writeChunk()) {
                return false;
            }
        } while (takenAt < taken.size());
        return true;
    }

    private boolean writeChunk() throws IOException {
        int count = Math.min(CHUNK, taken.size() - takenAt);
        if (count == 0) {
            return true;
        }
        chunk.clear().put(taken.array(), takenAt, count).flip();
        int went = channel.write(chunk);
        takenAt += went;
        written += went;
        return went == count;
    }

    private boolean writeSealed() throws IOException {
        if (!writeRest()) {
            return false;
        }
        int left = taken.size() - takenAt;
        if (left == 0 && !sealer.wantsToSay()) {
            return true;
        }
        ByteBuffer from = ByteBuffer.wrap(taken.array(), takenAt, left);
        sealed = sealer.seal(from);
        int took = left - from.remaining();
        takenAt += took;
        boolean whole = writeRest();
        written += took;
        return whole;
    }

    private boolean writeRest() throws IOException {
        if (sealed.hasRemaining()) {
            channel.write(sealed);
        }
        return !sealed.hasRemaining();
    }
}
