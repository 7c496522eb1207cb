// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static io.idemstore.Scripted.USUAL;
import static io.idemstore.Scripted.granted;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.idemstore.Scripted.Refused;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What spans and meters hear. */
class ListenerTest {
    @Test
    void aListenerHearsOfEachCallAndNeverOfItsKey() throws Exception {
        List<String> heard = new ArrayList<>();
        IdemListener listener = new IdemListener() {
            @Override
            public Object callStarted(String method) {
                return Thread.currentThread().getName() + " ";
            }

            @Override
            public void callEnded(Object started, CallEvent event) {
                synchronized (heard) {
                    heard.add(started + event.method()
                            + event.attributes());
                }
            }
        };
        String me = Thread.currentThread().getName() + " ";
        try (Scripted server = new Scripted((m, p, n) ->
                m.equals("renew") ? new Refused("NO_MEMORY")
                : m.equals("acquire") ? granted(p) : USUAL);
                IdemStore store = IdemStore.open(IdemStoreOptions.builder(
                        server.uri()).listener(listener).build())) {
            store.acquire(Key.of("k"));
            store.acquireAsync(Key.of("k"), AcquireOptions.defaults()).join();
            assertThrows(IdemException.class, () -> store.renew(Key.of("k"),
                    Token.of(Scripted.TOKEN), Duration.ofMillis(1)));
        }
        String grant = "acquire{idemstore.outcome=acquired, "
                + "idemstore.attempt=1}";
        assertEquals(List.of(me + grant, me + grant, me + "renew{idemstore."
                + "outcome=error, idemstore.error=NO_MEMORY}"),
                List.copyOf(heard));
    }
}
