// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import io.idemstore.testing.IdemstoredProcess;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A primary and its replica. */
final class Pair implements AutoCloseable {
    final IdemstoredProcess a;
    final IdemstoredProcess b;

    Pair(Path folder) {
        a = IdemstoredProcess.builder().args("--threads", "2",
                "--replication", "sync", "--peer-insecure", "--peer-state",
                folder.resolve("a.peer").toString()).start();
        b = IdemstoredProcess.builder().args("--threads", "2",
                "--replicate-from", a.address(), "--peer-insecure",
                "--peer-state", folder.resolve("b.peer").toString()).start();
        Servers.until(() -> ((Object[]) ((Map<?, ?>) ask(a, "replication"))
                .get("in_sync")).length == 2);
    }

    String uri(String namespace) {
        return "idem://" + a.address() + "," + b.address() + "/" + namespace
                + "?timeout_ms=60000";
    }

    /** kill -9, and the order to take over. */
    void failOver() {
        a.kill();
        promote();
    }

    void promote() {
        Servers.until(() -> Wire.text((byte[]) ((Object[]) ask(b,
                "promote"))[0]).equals("promoted"));
    }

    /** One call of an operator's. */
    static Object ask(IdemstoredProcess of, String method) {
        Packer out = new Packer(64);
        Scripted.pack(out, List.of(0, 1, method, List.of()));
        try (Socket socket = new Socket("127.0.0.1", of.port())) {
            socket.setSoTimeout(60000);
            socket.getOutputStream().write(out.toBytes());
            return answer(socket.getInputStream());
        } catch (IOException why) {
            throw new UncheckedIOException(why);
        }
    }

    private static Object answer(InputStream in) throws IOException {
        byte[] came = new byte[65536];
        Unpacker from = new Unpacker(came.length);
        int size = 0;
        while (true) {
            int count = in.read(came, size, came.length - size);
            if (count < 0) {
                throw new IOException("it closed the connection");
            }
            size += count;
            try {
                from.over(Arrays.copyOf(came, size), 0, size);
                Object[] f = Response.check(from.value());
                if (f[2] != null) {
                    throw new AssertionError(Wire.text((byte[]) f[2]));
                }
                return f[3];
            } catch (Unpacker.More more) {
                // the rest is on its way
            } catch (Unpacker.Malformed why) {
                throw new AssertionError(why);
            }
        }
    }

    @Override
    public void close() {
        a.resume();
        b.close();
        a.kill();
    }
}
