// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** idems://, against a proxy that ends TLS before a real daemon. */
class TlsTest {
    private static final Key K = Key.of("k");

    @TempDir
    Path folder;
    private Authority authority;

    @BeforeEach
    void begin() throws Exception {
        authority = new Authority(folder, "authority");
    }

    private static TlsProxy proxy(Authority.Issued issued, String clients)
            throws Exception {
        return new TlsProxy(Servers.shared().port(), issued, clients, null);
    }

    private static String uri(TlsProxy proxy, String... options) {
        return "idems://127.0.0.1:" + proxy.port() + "/"
                + Servers.namespace() + "?timeout_ms=60000&"
                + "connect_timeout_ms=20000&" + String.join("&", options);
    }

    private String ca() {
        return "ca=" + authority.file();
    }

    private static IdemException why(String uri) {
        try (IdemStore store = IdemStore.open(uri)) {
            return assertThrows(IdemException.class,
                    () -> store.acquire(K));
        }
    }

    private static void works(String uri) {
        try (IdemStore store = IdemStore.open(uri)) {
            store.ping();
        }
    }

    private static void job(IdemStore store, int number) {
        Key key = Key.of("j" + number);
        byte[] result = ("r" + number).repeat(number + 1)
                .getBytes(StandardCharsets.UTF_8);
        Acquired claim = (Acquired) store.acquire(key);
        store.complete(key, claim.token(), result);
        assertArrayEquals(result, ((Replay) store.acquire(key)).result());
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void manyThreadsAndLargeResults(String version) throws Exception {
        byte[] large = new byte[1 << 20];
        new Random(7).nextBytes(large);
        try (TlsProxy proxy = new TlsProxy(Servers.shared().port(),
                authority.server(), null, version);
                IdemStore store = IdemStore.open(uri(proxy, ca()))) {
            CompletableFuture.allOf(IntStream.range(0, 200).mapToObj(n ->
                    CompletableFuture.runAsync(() -> job(store, n)))
                    .toArray(CompletableFuture<?>[]::new)).join();
            Acquired claim = (Acquired) store.acquire(K);
            assertTrue(((Completed) store.complete(K, claim.token(), large))
                    .kept());
            assertArrayEquals(large, ((Replay) store.acquire(K)).result());
            assertEquals(2, store.status().connections());
        }
    }

    @Test
    void aNameThatIsNotTheCertificates() throws Exception {
        try (TlsProxy proxy = proxy(authority.issue("server",
                "DNS:db.example", "ec", 2), null)) {
            IdemException why = why(uri(proxy, ca()));
            assertEquals(ErrorCode.TLS, why.code());
            assertTrue(why.isUnchanged());
            works(uri(proxy, ca(), "server_name=db.example"));
            works(uri(proxy, ca(), "verify=ca"));
            works(uri(proxy, "verify=none"));
        }
    }

    @Test
    void anAuthorityThatNobodyTrusts() throws Exception {
        Authority other = new Authority(folder, "other");
        try (TlsProxy proxy = proxy(authority.server(), null)) {
            assertEquals(ErrorCode.TLS, why(uri(proxy, "ca="
                    + other.file())).code());
            assertEquals(ErrorCode.TLS, why(uri(proxy)).code());
            assertEquals(ErrorCode.TLS, why(uri(proxy, "verify=ca")).code());
            works(uri(proxy, ca()));
        }
    }

    @Test
    void aCertificateThatIsOver() throws Exception {
        Authority.Issued over = authority.issue("server", "IP:127.0.0.1",
                "ec", -1);
        try (TlsProxy proxy = proxy(over, null)) {
            assertEquals(ErrorCode.TLS, why(uri(proxy, ca())).code());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ec", "rsa:2048"})
    void aClientCertificate(String kind) throws Exception {
        Authority clients = new Authority(folder, "clients");
        Authority.Issued mine = clients.issue("shop", "", kind, 2);
        try (TlsProxy proxy = proxy(authority.server(), clients.file())) {
            works(uri(proxy, ca(), "cert=" + mine.cert(),
                    "key=" + mine.key()));
            Path both = folder.resolve("both.pem");
            Files.writeString(both, Files.readString(Path.of(mine.key()))
                    + Files.readString(Path.of(mine.cert())));
            works(uri(proxy, ca(), "cert=" + both));
            if (kind.startsWith("rsa")) {
                String old = folder.resolve("old.key").toString();
                Authority.openssl("rsa", "-traditional", "-in", mine.key(),
                        "-out", old);
                works(uri(proxy, ca(), "cert=" + mine.cert(),
                        "key=" + old));
            }
            ErrorCode code = why(uri(proxy, ca(), "connect_rounds=1"))
                    .code();
            assertTrue(List.of(ErrorCode.TLS, ErrorCode.CONNECT)
                    .contains(code), code.name());
        }
    }

    @Test
    void filesThatAreNoneAreToldWhenTheStoreIsOpened() throws Exception {
        Path junk = folder.resolve("junk");
        Files.writeString(junk, "-----BEGIN CERTIFICATE-----\n!!\n");
        String old = folder.resolve("sec1.key").toString();
        Authority.openssl("ecparam", "-name", "prime256v1", "-genkey",
                "-noout", "-out", old);
        for (String option : List.of("ca=/nowhere", "ca=" + junk,
                "cert=" + authority.file() + "&key=" + junk,
                "cert=" + authority.file() + "&key=" + old)) {
            IdemException why = assertThrows(IdemException.class,
                    () -> IdemStore.open("idems://h?" + option));
            assertEquals(ErrorCode.TLS, why.code());
        }
    }

    @Test
    void aServerWithoutTls() {
        String uri = "idems://" + Servers.shared().address()
                + "?connect_rounds=1&timeout_ms=20000";
        assertEquals(ErrorCode.TLS, why(uri).code());
    }
}
