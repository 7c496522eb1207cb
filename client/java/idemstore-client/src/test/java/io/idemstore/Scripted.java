// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A server that does what a test says: what a real one does rarely. */
final class Scripted implements AutoCloseable {
    /** The connection ends in the answer's place. */
    static final Object CLOSE = new Object();
    /** Nothing comes in the answer's place. */
    static final Object SILENT = new Object();
    /** Nothing is said of it: what a server says by itself. */
    static final Object USUAL = new Object();
    static final byte[] TOKEN = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,
        1};

    /** An error: "CODE text". */
    record Refused(String text) {
    }

    /** nth: of this method, from 1. */
    interface Handler {
        Object answer(String method, Object[] params, int nth)
                throws Exception;
    }

    /** What was asked. */
    record Asked(String method, Object[] params) {
    }

    private final Handler handler;
    private final Map<String, Object> hello;
    private final ServerSocket listener;
    private final List<Socket> open = new ArrayList<>();
    private final List<Asked> asked = new ArrayList<>();
    private final Map<String, Integer> counts = new HashMap<>();
    private final Map<String, Integer> answers = new HashMap<>();
    private int connections;

    Scripted(Handler handler, Map<String, Object> hello)
            throws IOException {
        this.handler = handler;
        this.hello = hello;
        listener = new ServerSocket(0, 50, InetAddress.getByName(
                "127.0.0.1"));
        daemon(this::accept);
    }

    Scripted(Handler handler) throws IOException {
        this(handler, hello("primary", 5));
    }

    /** Grants each acquire. */
    static Scripted granting() throws IOException {
        return new Scripted((method, params, nth) ->
                method.equals("acquire") ? granted(params) : USUAL);
    }

    /** One method alone gets that. */
    static Scripted only(String which, Handler handler) throws IOException {
        return new Scripted((method, params, nth) -> method.equals(which)
                ? handler.answer(method, params, nth) : USUAL);
    }

    static Map<String, Object> hello(String role, long epoch) {
        Map<String, Object> made = new LinkedHashMap<>();
        made.put("server", "scripted");
        made.put("protocol", 1L);
        made.put("role", role);
        made.put("epoch", epoch);
        made.put("shards", 1L);
        made.put("hash_key", new byte[16]);
        return made;
    }

    static Object granted(Object[] params) {
        return List.of("acquired", TOKEN, 1L, "none", params[4]);
    }

    String address() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    String uri(String options, Scripted... others) {
        StringBuilder hosts = new StringBuilder(address());
        for (Scripted one : others) {
            hosts.append(',').append(one.address());
        }
        return "idem://" + hosts + "/t?" + options;
    }

    String uri(Scripted... others) {
        return uri("", others);
    }

    synchronized List<Object[]> of(String method) {
        return asked.stream().filter(one -> one.method.equals(method))
                .map(Asked::params).toList();
    }

    /** How many answers of one method are on their way. */
    synchronized int answered(String method) {
        return answers.getOrDefault(method, 0);
    }

    synchronized int connections() {
        return connections;
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "scripted");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (true) {
            try {
                Socket socket = listener.accept();
                synchronized (this) {
                    connections++;
                    open.add(socket);
                }
                daemon(() -> serve(socket));
            } catch (IOException why) {
                return;
            }
        }
    }

    private void serve(Socket socket) {
        byte[] kept = new byte[0];
        byte[] more = new byte[65536];
        Unpacker from = new Unpacker(1 << 22);
        try (socket) {
            InputStream in = socket.getInputStream();
            for (int count = in.read(more); count > 0;
                    count = in.read(more)) {
                int size = kept.length;
                kept = Arrays.copyOf(kept, size + count);
                System.arraycopy(more, 0, kept, size, count);
                int at = 0;
                while (at < kept.length) {
                    from.over(kept, at, kept.length);
                    try {
                        if (!answer(socket, (Object[]) from.value())) {
                            return;
                        }
                        at = from.position();
                    } catch (Unpacker.More rest) {
                        break;
                    }
                }
                kept = Arrays.copyOfRange(kept, at, kept.length);
            }
        } catch (Exception why) {
            // it has ended
        }
    }

    /** False: it closes. */
    private boolean answer(Socket socket, Object[] frame) throws Exception {
        String method = Wire.text((byte[]) frame[2]);
        int nth;
        synchronized (this) {
            asked.add(new Asked(method, (Object[]) frame[3]));
            nth = counts.merge(method, 1, Integer::sum);
        }
        Object told = handler.answer(method, (Object[]) frame[3], nth);
        if (told == CLOSE) {
            return false;
        }
        if (told == SILENT) {
            return true;
        }
        if (told == USUAL) {
            told = method.equals("hello") ? hello
                    : method.equals("ping") ? "pong" : null;
        }
        boolean refused = told instanceof Refused;
        Packer out = new Packer(256);
        out.array(4).number(1).number((Long) frame[1]);
        pack(out, refused ? ((Refused) told).text : null);
        pack(out, refused ? null : told);
        synchronized (socket) {
            socket.getOutputStream().write(out.toBytes());
        }
        synchronized (this) {
            answers.merge(method, 1, Integer::sum);
        }
        return true;
    }

    static void pack(Packer out, Object value) {
        if (value == null) {
            out.nil();
        } else if (value instanceof Number n) {
            out.number(n.longValue());
        } else if (value instanceof Boolean b) {
            out.bool(b);
        } else if (value instanceof String text) {
            out.text(text);
        } else if (value instanceof byte[] bytes) {
            out.bin(bytes);
        } else if (value instanceof List<?> list) {
            out.array(list.size());
            list.forEach(one -> pack(out, one));
        } else {
            Map<?, ?> map = (Map<?, ?>) value;
            out.map(map.size());
            map.forEach((name, one) -> {
                pack(out, name);
                pack(out, one);
            });
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        synchronized (this) {
            for (Socket one : open) {
                one.close();
            }
        }
    }
}
