// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** What each TLS connection of a store is made with: JSSE, and PEM files. */
final class TlsContext {
    private static final char[] NO_PASSWORD = {};

    private final SSLContext context;
    private final boolean checksName;
    private final String serverName;

    private TlsContext(SSLContext context, boolean checksName,
            String serverName) {
        this.context = context;
        this.checksName = checksName;
        this.serverName = serverName;
    }

    /**
     * Null without idems://.
     *
     * @param given in place of ca, cert and key, or null
     * @throws IdemException TLS: a file can't be used
     */
    static TlsContext of(StoreUri uri, SSLContext given) {
        if (!uri.tls) {
            return null;
        }
        String verify = uri.texts.getOrDefault("verify", "full");
        SSLContext made = given != null ? given : made(uri, verify);
        return new TlsContext(made, verify.equals("full"),
                uri.texts.get("server_name"));
    }

    private static SSLContext made(StoreUri uri, String verify) {
        TrustManager[] trust;
        KeyManager[] keys;
        try {
            trust = verify.equals("none")
                    ? new TrustManager[] {new TrustsAll()}
                    : trusting(uri.texts.get("ca"));
        } catch (IOException | GeneralSecurityException why) {
            throw cannot("ca", why);
        }
        try {
            keys = showing(uri.texts.get("cert"), uri.texts.get("key"));
        } catch (IOException | GeneralSecurityException why) {
            throw cannot("cert or key", why);
        }
        try {
            SSLContext made = SSLContext.getInstance("TLS");
            made.init(keys, trust, null);
            return made;
        } catch (GeneralSecurityException why) {
            throw cannot("cert or key", why);
        }
    }

    private static IdemException cannot(String what, Exception why) {
        String told = why instanceof IOException
                ? why.getClass().getSimpleName() + " " + why.getMessage()
                : why.getMessage();
        return new IdemException(ErrorCode.TLS, "the URI's " + what
                + " can't be used: " + told);
    }

    /** Null: the system's own. */
    private static TrustManager[] trusting(String path)
            throws IOException, GeneralSecurityException {
        if (path == null) {
            return null;
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        int count = 0;
        for (X509Certificate one : Pem.certificates(path)) {
            store.setCertificateEntry("ca" + count++, one);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(
                TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    /** Null: no certificate. The key may stand in the certificate's file. */
    private static KeyManager[] showing(String cert, String key)
            throws IOException, GeneralSecurityException {
        if (cert == null) {
            return null;
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("client", Pem.key(key == null ? cert : key),
                NO_PASSWORD, Pem.certificates(cert));
        KeyManagerFactory factory = KeyManagerFactory.getInstance(
                KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, NO_PASSWORD);
        return factory.getKeyManagers();
    }

    /** One connection's, before its handshake. */
    SSLEngine engine(Endpoint endpoint) {
        String name = serverName != null ? serverName : endpoint.host();
        SSLEngine made = context.createSSLEngine(name, endpoint.port());
        made.setUseClientMode(true);
        SSLParameters asked = made.getSSLParameters();
        asked.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
        if (checksName) {
            asked.setEndpointIdentificationAlgorithm("HTTPS");
        }
        if (!Dialer.isLiteral(name)) {
            asked.setServerNames(List.of(new SNIHostName(name)));
        }
        made.setSSLParameters(asked);
        return made;
    }

    /** verify=none. */
    private static final class TrustsAll extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type,
                Socket socket) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type,
                Socket socket) {
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type,
                SSLEngine engine) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type,
                SSLEngine engine) {
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
