// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLException;

/**
 * A connection to one endpoint: its addresses tried in turns, TLS, hello. It
 * blocks, up to its deadline, on a thread of its own.
 */
final class Dialer {
    /** The next address of a name is tried after so long, beside. */
    private static final long RACE = 250 * Ticks.MS;
    private static final int ADDRESSES_MAX = 16;

    /** A connection whose server has said hello. */
    record Dialed(SocketChannel channel, Sealer sealer, Hello hello,
            Endpoint endpoint, SocketAddress address) {
    }

    private final StoreUri uri;
    private final TlsContext tls;
    private final String client;

    Dialer(StoreUri uri, TlsContext tls, String client) {
        this.uri = uri;
        this.tls = tls;
        this.client = uri.texts.getOrDefault("client", client);
    }

    /**
     * @param shard -1: none is asked for
     * @param good the address that answered before, or null
     * @throws IdemException CONNECT, TLS, or what the server said
     */
    Dialed dial(Endpoint endpoint, int shard, long until,
            SocketAddress good) {
        List<SocketAddress> addresses = addresses(endpoint);
        if (good != null && addresses.remove(good)) {
            addresses.add(0, good);
        }
        IdemException why = null;
        while (!addresses.isEmpty()) {
            long share = (until - Ticks.now()) / addresses.size();
            Raced raced;
            try {
                raced = race(addresses, until);
            } catch (IOException error) {
                throw why != null ? why
                        : Errors.cannotConnect(endpoint.name(), words(error));
            }
            addresses.remove(raced.address);
            try {
                return handshake(raced, endpoint, shard, addresses.isEmpty()
                        ? until : Ticks.now() + share);
            } catch (IdemException error) {
                if (error.code() != ErrorCode.CONNECT) {
                    throw error;
                }
                why = error;
            }
        }
        throw why != null ? why
                : Errors.cannotConnect(endpoint.name(), "it has no address");
    }

    // ---------------------------------------------------- names, sockets

    static boolean isLiteral(String host) {
        return host.indexOf(':') >= 0
                || host.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
    }

    private static List<SocketAddress> addresses(Endpoint endpoint) {
        List<SocketAddress> made = new ArrayList<>();
        if (endpoint.port() == 0) {
            made.add(UnixDomainSocketAddress.of(endpoint.host()));
            return made;
        }
        try {
            for (InetAddress one
                    : InetAddress.getAllByName(endpoint.host())) {
                if (made.size() < ADDRESSES_MAX) {
                    made.add(new InetSocketAddress(one, endpoint.port()));
                }
            }
        } catch (UnknownHostException why) {
            throw Errors.cannotConnect(endpoint.name(),
                    "its name has no address");
        }
        return made;
    }

    private record Raced(SocketChannel channel, SocketAddress address) {
    }

    /** The first that connects: each begins a while after the one before. */
    private static Raced race(List<SocketAddress> addresses, long until)
            throws IOException {
        IOException why = new DialSocket.Late();
        List<SocketChannel> begun = new ArrayList<>();
        Raced won = null;
        try (Selector selector = Selector.open()) {
            int next = 0;
            long nextAt = 0;
            while (won == null && Ticks.now() < until
                    && (next < addresses.size()
                    || !selector.keys().isEmpty())) {
                if (next < addresses.size() && (Ticks.now() >= nextAt
                        || selector.keys().isEmpty())) {
                    SocketAddress address = addresses.get(next++);
                    nextAt = Ticks.now() + RACE;
                    try {
                        won = begin(address, selector, begun);
                    } catch (IOException error) {
                        why = error;
                    }
                    continue;
                }
                long wake = next < addresses.size()
                        ? Math.min(nextAt, until) : until;
                selector.select(Math.max(
                        (wake - Ticks.now()) / Ticks.MS, 1));
                for (SelectionKey key : selector.selectedKeys()) {
                    try {
                        won = finished(key, won);
                    } catch (IOException error) {
                        why = error;
                    }
                }
                selector.selectedKeys().clear();
                selector.selectNow(); // cancelled keys go
            }
        } finally {
            for (SocketChannel one : begun) {
                if (won == null || one != won.channel) {
                    one.close();
                }
            }
        }
        if (won == null) {
            throw why;
        }
        return won;
    }

    /** Null: it is under way. */
    private static Raced begin(SocketAddress address, Selector selector,
            List<SocketChannel> begun) throws IOException {
        SocketChannel channel = DialSocket.open(address);
        begun.add(channel);
        if (channel.connect(address)) {
            return new Raced(channel, address);
        }
        channel.register(selector, SelectionKey.OP_CONNECT, address);
        return null;
    }

    private static Raced finished(SelectionKey key, Raced won)
            throws IOException {
        SocketChannel channel = (SocketChannel) key.channel();
        try {
            if (won != null || !channel.finishConnect()) {
                return won;
            }
            key.cancel();
            return new Raced(channel, (SocketAddress) key.attachment());
        } catch (IOException error) {
            key.cancel();
            channel.close();
            throw error;
        }
    }

    private static String words(IOException error) {
        String text = error.getMessage();
        return text == null ? error.getClass().getSimpleName()
                : text.toLowerCase(java.util.Locale.ROOT);
    }

    // ----------------------------------------------------------- handshake

    private Dialed handshake(Raced raced, Endpoint endpoint, int shard,
            long until) {
        DialSocket socket = null;
        boolean isUp = false;
        try {
            socket = new DialSocket(raced.channel);
            if (endpoint.port() != 0) {
                raced.channel.setOption(StandardSocketOptions.TCP_NODELAY,
                        true);
                raced.channel.setOption(StandardSocketOptions.SO_KEEPALIVE,
                        true);
            }
            if (tls != null && endpoint.port() != 0) {
                secure(socket, endpoint, until);
            }
            Hello hello = exchange(socket, endpoint, shard, until);
            socket.release();
            isUp = true;
            return new Dialed(raced.channel, socket.sealer(), hello,
                    endpoint, raced.address);
        } catch (IOException why) {
            throw Errors.cannotTalk(endpoint.name(), words(why));
        } finally {
            if (!isUp && socket != null) {
                socket.close();
            }
        }
    }

    private void secure(DialSocket socket, Endpoint endpoint, long until)
            throws IOException {
        try {
            if (!socket.secure(new Sealer(tls.engine(endpoint)), until)) {
                throw Errors.cannotTalk(endpoint.name(), "it closed the "
                        + "connection within the handshake; does it speak "
                        + "TLS?");
            }
        } catch (SSLException | RuntimeException why) {
            if (why instanceof IdemException told) {
                throw told;
            }
            throw Errors.tls(endpoint.name(), reason(why));
        }
    }

    /** The innermost cause says what it was. */
    private static String reason(Throwable why) {
        Throwable at = why;
        while (at.getCause() != null) {
            at = at.getCause();
        }
        return at.getMessage() == null ? at.getClass().getSimpleName()
                : at.getMessage();
    }

    void hello(Packer out, long msgid, int shard) {
        Wire.hello(out, msgid, client, shard, uri.secret);
    }

    private Hello exchange(DialSocket socket, Endpoint endpoint, int shard,
            long until) throws IOException {
        Packer out = new Packer(512);
        hello(out, 0, shard);
        Object result;
        try {
            try {
                socket.write(out.array(), out.size(), until);
            } catch (DialSocket.Late | SSLException why) {
                throw why;
            } catch (IOException why) {
                // it may have said why before it closed
            }
            result = hear(socket, endpoint, until);
        } catch (Sealer.Ended why) {
            throw Errors.cannotTalk(endpoint.name(), "it closed the "
                    + "connection; does it want a client certificate?");
        } catch (SSLException why) {
            throw Errors.tls(endpoint.name(), reason(why));
        } catch (DialSocket.Late why) {
            throw Errors.cannotTalk(endpoint.name(), "it takes connections "
                    + "and says nothing; is that idemstored, or another "
                    + "program?");
        }
        Hello hello = Hello.read(result);
        if (hello == null) {
            throw IdemException.at(ErrorCode.CONNECT, endpoint.name(),
                    endpoint.name() + " says hello in words that this version "
                    + "does not know");
        }
        return hello;
    }

    /** The result of hello. Throws what the server says in its place. */
    private static Object hear(DialSocket socket, Endpoint endpoint,
            long until) throws IOException {
        byte[] heard = new byte[0];
        Unpacker from = new Unpacker(Wire.FRAME_BYTES_FIRST);
        while (true) {
            ByteBuffer more = socket.read(until);
            if (more == null) {
                throw Errors.cannotTalk(endpoint.name(), "it closed the "
                        + "connection before it said a word; is that "
                        + "idemstored, or another program?");
            }
            int before = heard.length;
            heard = Arrays.copyOf(heard, before + more.remaining());
            more.get(heard, before, heard.length - before);
            from.over(heard, 0, heard.length);
            try {
                Object[] f = Response.check(from.value());
                if (f[2] != null) {
                    throw Errors.said(endpoint.name(),
                            Wire.text((byte[]) f[2]));
                }
                return f[3];
            } catch (Unpacker.Malformed why) {
                throw stranger(endpoint, heard);
            } catch (Unpacker.More why) {
                // the rest is on its way
            }
        }
    }

    private static IdemException stranger(Endpoint endpoint, byte[] first) {
        String text = new String(first, StandardCharsets.ISO_8859_1);
        String kind = "";
        if (text.startsWith("HTTP/")) {
            kind = ", but HTTP";
        } else if ("-+:$".indexOf(text.charAt(0)) >= 0
                && text.contains("\r\n")) {
            kind = ", but Redis'";
        } else if (text.charAt(0) == 0x15) {
            kind = ", but TLS: write idems://";
        }
        return IdemException.at(ErrorCode.CONNECT, endpoint.name(),
                "something listens at " + endpoint.name() + " and does not "
                + "speak idemstore's protocol" + kind + "; check the port");
    }
}
