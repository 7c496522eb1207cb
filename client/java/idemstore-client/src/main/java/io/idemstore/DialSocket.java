// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/** A connection that is being made: it blocks, up to a time. */
final class DialSocket implements AutoCloseable {
    /** Nothing came in time. */
    static final class Late extends IOException {
        Late() {
            super("it did not answer in time");
        }
    }

    final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;
    private Sealer sealer;

    /** Of a channel that is connected, and does not block. */
    DialSocket(SocketChannel channel) throws IOException {
        this.channel = channel;
        selector = Selector.open();
        key = channel.register(selector, 0);
    }

    Sealer sealer() {
        return sealer;
    }

    private void await(int what, long until) throws IOException {
        key.interestOps(what);
        long left = until - Ticks.now();
        if (left > 0) {
            selector.select((left + Ticks.MS - 1) / Ticks.MS);
        } else if (selector.selectNow() == 0) {
            throw new Late();
        }
        selector.selectedKeys().clear();
    }

    private void writeAll(ByteBuffer from, long until) throws IOException {
        while (from.hasRemaining()) {
            if (channel.write(from) == 0) {
                await(SelectionKey.OP_WRITE, until);
            }
        }
    }

    /** False: it has ended. */
    private boolean readSome(ByteBuffer into, long until)
            throws IOException {
        int count = channel.read(into);
        while (count == 0) {
            await(SelectionKey.OP_READ, until);
            count = channel.read(into);
        }
        return count > 0;
    }

    /** False: the other side ended it within the handshake. */
    boolean secure(Sealer made, long until) throws IOException {
        ByteBuffer raw = ByteBuffer.allocate(16384);
        made.begin();
        while (!made.isShaken()) {
            if (made.wantsToSay()) {
                writeAll(made.seal(ByteBuffer.allocate(0)), until);
            } else if (made.open() == null) {
                raw.clear();
                if (!readSome(raw, until)) {
                    return false;
                }
                made.feed(raw.flip());
            }
        }
        sealer = made;
        return true;
    }

    void write(byte[] data, int size, long until) throws IOException {
        ByteBuffer from = ByteBuffer.wrap(data, 0, size);
        if (sealer == null) {
            writeAll(from, until);
            return;
        }
        while (from.hasRemaining()) {
            writeAll(sealer.seal(from), until);
        }
    }

    /** Some bytes, ready to be read; null at its end. */
    ByteBuffer read(long until) throws IOException {
        ByteBuffer raw = ByteBuffer.allocate(16384);
        while (true) {
            if (sealer != null) {
                ByteBuffer plain = sealer.open();
                if (plain != null && plain.hasRemaining()) {
                    return plain;
                }
                if (plain != null) {
                    continue;
                }
            }
            raw.clear();
            if (!readSome(raw, until)) {
                return null;
            }
            if (sealer == null) {
                return raw.flip();
            }
            sealer.feed(raw.flip());
        }
    }

    /** Lets go of the channel, which stays open. */
    void release() throws IOException {
        key.cancel();
        selector.close();
    }

    @Override
    public void close() {
        try {
            selector.close();
            channel.close();
        } catch (IOException why) {
            // it is gone
        }
    }

    /** Opened for that kind of address, not connected yet. */
    static SocketChannel open(SocketAddress address) throws IOException {
        SocketChannel made = address
                instanceof java.net.UnixDomainSocketAddress
                ? SocketChannel.open(java.net.StandardProtocolFamily.UNIX)
                : SocketChannel.open();
        made.configureBlocking(false);
        return made;
    }
}
