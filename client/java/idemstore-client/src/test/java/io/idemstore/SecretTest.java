// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.idemstore.Scripted.Refused;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A secret reaches the server, and nothing else. */
class SecretTest {
    private static final Key K = Key.of("k");
    private final List<IdemStore> opened = new ArrayList<>();

    private IdemStore open(String uri) {
        IdemStore made = IdemStore.open(uri);
        opened.add(made);
        return made;
    }

    @AfterEach
    void end() {
        opened.forEach(IdemStore::close);
    }

    private static IdemException why(Runnable call) {
        return assertThrows(IdemException.class, call::run);
    }

    private static final String SECRET =
            "idm_shop_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWUtZXZlcjE";

    private static String shown(IdemException why) {
        StringWriter text = new StringWriter();
        why.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    @Test
    void noErrorShowsTheSecret(@TempDir Path folder) throws Exception {
        List<String> texts = new ArrayList<>();
        try (Scripted server = Scripted.only("hello", (m, p, n) ->
                new Refused("DENIED the secret is wrong"))) {
            IdemStore store = open("idem://:" + SECRET + "@"
                    + server.address() + "/t");
            texts.add(shown(why(() -> store.acquire(K))));
            texts.add(store.toString());
            texts.add(store.status().toString());
            Files.writeString(folder.resolve("secret"), SECRET + "\n");
            texts.add(shown(why(() -> open("idem://" + server.address()
                    + "?secret_file=" + folder + "/secret").acquire(K))));
            opened.add(IdemStore.open(IdemStoreOptions.builder("idem://"
                    + server.address()).secret(SECRET).build()));
            texts.add(shown(why(() -> opened.get(2).acquire(K))));
            List<Object[]> hellos = server.of("hello");
            assertEquals(3, hellos.size());
            for (Object[] hello : hellos) {
                assertEquals(SECRET, new String((byte[])
                        ((Map<?, ?>) hello[0]).get("secret"),
                        StandardCharsets.UTF_8));
            }
        }
        for (String bad : List.of("idem://:%s@h:0", "idem://:%s@h?x=1",
                "idem://:%s/x@h", "idem://me:%s@h", "idem://:%s@",
                "http://:%s@h", "idem://:%s%%zz@h", "idem://:%s\n@h")) {
            IdemException why = why(() -> open(bad.replace("%s", SECRET)));
            assertEquals(ErrorCode.URI, why.code());
            texts.add(shown(why));
        }
        for (String text : texts) {
            assertFalse(text.replace("\n", "").contains("c2VjcmV0"), text);
        }
    }
}
