// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/** Ends TLS before a daemon, and hands on what it says. */
final class TlsProxy implements AutoCloseable {
    private final SSLServerSocket listener;
    private final int to;
    private final List<Socket> open = new CopyOnWriteArrayList<>();

    /**
     * @param clients who signs clients' certificates; null: none is asked for
     * @param version "TLSv1.2" or "TLSv1.3"; null: any
     */
    TlsProxy(int to, Authority.Issued issued, String clients, String version)
            throws Exception {
        this.to = to;
        SSLContext context = SSLContext.getInstance("TLS");
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        keys.setKeyEntry("server", Pem.key(issued.key()), new char[0],
                Pem.certificates(issued.cert()));
        KeyManagerFactory shown = KeyManagerFactory.getInstance(
                KeyManagerFactory.getDefaultAlgorithm());
        shown.init(keys, new char[0]);
        context.init(shown.getKeyManagers(), trusted(clients), null);
        listener = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket(0, 50, InetAddress.getByName(
                        "127.0.0.1"));
        listener.setNeedClientAuth(clients != null);
        if (version != null) {
            listener.setEnabledProtocols(new String[] {version});
        }
        daemon(this::accept);
    }

    private static TrustManager[] trusted(String path) throws Exception {
        if (path == null) {
            return null;
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (X509Certificate one : Pem.certificates(path)) {
            store.setCertificateEntry("clients", one);
        }
        TrustManagerFactory made = TrustManagerFactory.getInstance(
                TrustManagerFactory.getDefaultAlgorithm());
        made.init(store);
        return made.getTrustManagers();
    }

    int port() {
        return listener.getLocalPort();
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "proxy");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (true) {
            try {
                SSLSocket socket = (SSLSocket) listener.accept();
                open.add(socket);
                daemon(() -> serve(socket));
            } catch (IOException why) {
                return;
            }
        }
    }

    private void serve(SSLSocket socket) {
        try {
            socket.startHandshake();
            Socket onward = new Socket("127.0.0.1", to);
            open.add(onward);
            daemon(() -> pump(onward, socket));
            pump(socket, onward);
        } catch (IOException why) {
            closeQuietly(socket);
        }
    }

    private static void pump(Socket from, Socket into) {
        byte[] some = new byte[65536];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = into.getOutputStream();
            for (int count = in.read(some); count > 0;
                    count = in.read(some)) {
                out.write(some, 0, count);
                out.flush();
            }
        } catch (IOException why) {
            // it has ended
        }
        closeQuietly(into);
        closeQuietly(from);
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException why) {
            // it is closed
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        open.forEach(TlsProxy::closeQuietly);
    }
}
