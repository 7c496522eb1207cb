// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UriTest {
    @Test
    void allThatAUriMaySay() {
        StoreUri uri = StoreUri.parse("idems://:s%40%2Fx@a,[::1]:1,b:65535/"
                + "sh%C3%BCp?timeout_ms=1&verify=ca&ca=/a%20b&shard_aware=0"
                + "&client=me", null);
        assertTrue(uri.tls);
        assertEquals("[Endpoint[host=a, port=7117], "
                + "Endpoint[host=::1, port=1], "
                + "Endpoint[host=b, port=65535]]", uri.endpoints.toString());
        assertEquals("[::1]:1", uri.endpoints.get(1).name());
        assertArrayEquals("s@/x".getBytes(StandardCharsets.UTF_8),
                uri.secret);
        assertEquals("sh\u00fcp", uri.ns);
        assertEquals(1, uri.number("timeout_ms"));
        assertEquals(0, uri.number("shard_aware"));
        assertEquals(1000, uri.number("connect_timeout_ms"));
        assertEquals("/a b", uri.texts.get("ca"));
    }

    @Test
    void aUnixSocket() {
        StoreUri uri = StoreUri.parse(
                "idem+unix://:s@/run/i%20d.sock?namespace=n", null);
        assertEquals(new Endpoint("/run/i d.sock", 0),
                uri.endpoints.get(0));
        assertEquals("unix:/run/i d.sock", uri.endpoints.get(0).name());
        assertEquals("n", uri.ns);
    }

    @Test
    void theUrisOwnSecretComesFirst() {
        assertEquals("b", new String(StoreUri.parse("idem://h", "b").secret,
                StandardCharsets.UTF_8));
        assertEquals("a", new String(StoreUri.parse("idem://:a@h", "b")
                .secret, StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "h", "redis://h", "idem://", "idem://h:0",
        "idem://h:65536", "idem://h:x", "idem://h,", "idem://::1",
        "idem://[::1", "idem://[::1]x", "idem://u@h", "idem://u:p@h",
        "idem://h?timeout_ms=0", "idem://h?timeout_ms=86400001",
        "idem://h?timeout_ms", "idem://h?what=1", "idem://h?verify=no",
        "idem://h?fail_fast_ms=499", "idem://h/%zz", "idem://h/%2",
        "idem://h/a b", "idem://h/%00", "idem+unix://", "idem+unix:///",
        "idem+unix://host/path", "idem://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
        "idem://h/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
            + "nnnnnnnnn", "idem://h?secret_file=/nowhere"})
    void whatIsNoneIsRefused(String text) {
        IdemException why = assertThrows(IdemException.class,
                () -> IdemStore.open(text));
        assertEquals(ErrorCode.URI, why.code());
    }
}
