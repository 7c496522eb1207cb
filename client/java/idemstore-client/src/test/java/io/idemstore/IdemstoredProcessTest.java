// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.testing.IdemstoredProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The starter of the real daemon, for users' tests. */
class IdemstoredProcessTest {
    /** What a process of its own does: starts one, and says where. */
    public static void main(String[] args) throws Exception {
        System.out.println(IdemstoredProcess.start().port());
        Thread.sleep(600_000);
    }

    private static boolean listens(int port) {
        try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"),
                port)) {
            return true;
        } catch (IOException why) {
            return false;
        }
    }

    @Test
    void itEndsWithTheProcessThatStartedIt() throws Exception {
        Process parent = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java")
                .toString(), "-cp", System.getProperty("java.class.path"),
                IdemstoredProcessTest.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        int port;
        try (BufferedReader lines = parent.inputReader()) {
            port = Integer.parseInt(lines.readLine());
            assertTrue(listens(port));
            parent.destroyForcibly().waitFor(); // kill -9
        }
        Servers.until(() -> !listens(port));
    }

    @Test
    void itIsStoppedAndItsFolderGoes() {
        IdemstoredProcess one = IdemstoredProcess.start();
        assertTrue(one.isAlive());
        assertTrue(Files.isDirectory(one.scratch()));
        assertTrue(one.log().contains("listening"));
        one.close();
        one.close();
        assertFalse(one.isAlive());
        assertFalse(listens(one.port()));
        assertFalse(Files.exists(one.scratch()));
    }

    @Test
    void whatDoesNotComeUpSaysWhy() {
        String told = assertThrows(IllegalStateException.class, () ->
                IdemstoredProcess.builder().args("--no-such-flag").start())
                .getMessage();
        assertTrue(told.contains("no-such-flag"), told);
    }

    @Test
    void aUnixSocket() throws IOException {
        Path folder = Files.createTempDirectory("unix");
        Path socket = folder.resolve("s.sock");
        try (IdemstoredProcess daemon = IdemstoredProcess.builder()
                .args("--listen", "unix:" + socket).start();
                IdemStore store = IdemStore.open("idem+unix://" + socket
                        + "?namespace=u&timeout_ms=60000")) {
            assertEquals("x", store.once(Key.of("k"), Codec.text(),
                    () -> "x"));
            assertEquals("unix:" + socket, store.status().primary());
            try (IdemStore other = IdemStore.open(daemon.uri("u"))) {
                assertEquals(State.COMPLETED,
                        other.peek(Key.of("k")).state());
            }
        } finally {
            Files.deleteIfExists(socket);
            Files.deleteIfExists(folder);
        }
    }
}
