// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** A store that nobody asks does nothing, and one that is closed is gone. */
class QuietTest {
    private static Thread io() {
        Thread found = null;
        for (Thread one : Thread.getAllStackTraces().keySet()) {
            if (one.getName().equals("idemstore-io")) {
                assertEquals(null, found, "one thread for each store");
                found = one;
            }
        }
        return found;
    }

    @Test
    void itsThreadSleepsAndEnds() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        Thread io;
        try (IdemStore store = IdemStore.open(Servers.shared().uri(
                Servers.namespace()) + "?timeout_ms=60000")) {
            assertEquals(null, io(), "it comes with the first call");
            for (int i = 0; i < 1000; i++) {
                store.acquire(Key.of("k" + i));
            }
            io = io();
            assertNotNull(io);
            Servers.sleep(1000); // it looks once more, then never again
            long id = io.getId();
            long before = threads.getThreadCpuTime(id);
            long waits = threads.getThreadInfo(id).getWaitedCount();
            Servers.sleep(1000);
            assertEquals(before, threads.getThreadCpuTime(id));
            assertEquals(waits, threads.getThreadInfo(id).getWaitedCount());
            store.acquire(Key.of("again"));
        }
        Thread gone = io;
        Servers.until(() -> !gone.isAlive());
        Set<String> left = new TreeSet<>();
        for (Thread one : Thread.getAllStackTraces().keySet()) {
            left.add(one.getName());
        }
        assertTrue(left.stream().noneMatch(name ->
                name.startsWith("idemstore-")), "" + left);
    }
}
