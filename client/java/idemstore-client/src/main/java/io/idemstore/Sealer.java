// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.ByteBuffer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/**
 * One connection's TLS, as bytes in and bytes out. Sealing belongs to whoever
 * writes, opening to whoever reads; the two may run at once.
 */
final class Sealer {
    private final SSLEngine engine;
    /** What came and was not opened yet; between calls ready to be read. */
    private ByteBuffer came;
    private ByteBuffer plain;
    private ByteBuffer sealed;

    Sealer(SSLEngine engine) {
        this.engine = engine;
        int packet = engine.getSession().getPacketBufferSize();
        came = ByteBuffer.allocate(packet).flip();
        sealed = ByteBuffer.allocate(packet);
        plain = ByteBuffer.allocate(
                engine.getSession().getApplicationBufferSize());
    }

    void begin() throws SSLException {
        engine.beginHandshake();
    }

    /** Runs what the engine wants run; what it wants next. */
    HandshakeStatus status() {
        HandshakeStatus status = engine.getHandshakeStatus();
        while (status == HandshakeStatus.NEED_TASK) {
            Runnable task = engine.getDelegatedTask();
            if (task == null) {
                break;
            }
            task.run();
            status = engine.getHandshakeStatus();
        }
        return status;
    }

    boolean isShaken() {
        HandshakeStatus status = status();
        return status == HandshakeStatus.NOT_HANDSHAKING
                || status == HandshakeStatus.FINISHED;
    }

    boolean wantsToSay() {
        return status() == HandshakeStatus.NEED_WRAP;
    }

    /** A record of as much of it as fits, ready to be read; owned here. */
    ByteBuffer seal(ByteBuffer from) throws SSLException {
        sealed.clear();
        SSLEngineResult made = engine.wrap(from, sealed);
        while (made.getStatus() == SSLEngineResult.Status.BUFFER_OVERFLOW) {
            sealed = ByteBuffer.allocate(sealed.capacity() * 2);
            made = engine.wrap(from, sealed);
        }
        if (made.getStatus() == SSLEngineResult.Status.CLOSED) {
            throw new SSLException("the connection was closed");
        }
        return sealed.flip();
    }

    /** Bytes from the network. */
    void feed(ByteBuffer more) {
        if (came.capacity() - came.remaining() < more.remaining()) {
            came = ByteBuffer.allocate(came.remaining() + more.remaining()
                    + came.capacity()).put(came);
        } else {
            came.compact();
        }
        came.put(more).flip();
    }

    /**
     * What one record says, ready to be read; owned here, empty where it was
     * a message of the handshake. Null: there is no whole record.
     */
    ByteBuffer open() throws SSLException {
        status();
        while (came.hasRemaining()) {
            plain.clear();
            SSLEngineResult made = engine.unwrap(came, plain);
            switch (made.getStatus()) {
                case BUFFER_OVERFLOW -> plain = ByteBuffer.allocate(
                        plain.capacity() * 2);
                case BUFFER_UNDERFLOW -> {
                    return null;
                }
                case CLOSED -> throw new Ended();
                default -> {
                    return plain.flip();
                }
            }
        }
        return null;
    }

    /** The other side has said that it is done. */
    static final class Ended extends SSLException {
        Ended() {
            super("it closed the connection");
        }
    }
}
