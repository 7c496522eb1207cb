// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Frames: the examples of proto/README.md, and bytes that are none. */
class WireTest {
    /** Each frame: 'C', 'c', 'R' or 'S', then its bytes in hex. */
    private static List<String> examples() throws IOException {
        List<String> made = new ArrayList<>();
        boolean inside = false;
        for (String line : Files.readAllLines(VectorsTest.FOLDER.resolve(
                "../README.md"))) {
            if (line.startsWith("```")) {
                inside = line.equals("```wire");
            } else if (inside) {
                boolean begins = line.charAt(0) != ' ';
                String hex = line.substring(1).replaceAll("#.*", "")
                        .replace(" ", "");
                if (begins) {
                    made.add(line.charAt(0) + hex);
                } else {
                    made.add(made.remove(made.size() - 1) + hex);
                }
            }
        }
        return made;
    }

    private static Object[] read(byte[] bytes, int limit) throws Exception {
        Unpacker from = new Unpacker(limit);
        from.over(bytes, 0, bytes.length);
        Object value = from.value();
        assertEquals(bytes.length, from.position());
        return (Object[]) value;
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }

    @Test
    void everyExampleIsRead() throws Exception {
        List<String> all = examples();
        assertTrue(all.size() > 40, "" + all.size());
        int refused = 0;
        for (String one : all) {
            try {
                Object[] frame = read(bytes(one.substring(1)), 1 << 20);
                assertEquals(4, frame.length);
                if (one.charAt(0) == 'S') {
                    Response.check(frame);
                }
            } catch (Unpacker.Malformed why) {
                refused++; // the ext
            }
        }
        assertEquals(1, refused);
    }

    private static String text(Object value) {
        return Wire.text((byte[]) value);
    }

    /** A call that says what that frame says; null: not one of ours. */
    private static Call callOf(Object[] frame) {
        Call.Method method = Arrays.stream(Call.Method.values())
                .filter(one -> one.word.equals(text(frame[2])))
                .findFirst().orElse(null);
        Object[] p = (Object[]) frame[3];
        if (method == null) {
            return null;
        }
        if (p.length == 0) {
            return new Call(method, new byte[0], new byte[0]);
        }
        Call call = new Call(method, (byte[]) p[0], (byte[]) p[1]);
        Map<?, ?> options = p[p.length - 1] instanceof Map<?, ?> map
                ? map : Map.of();
        switch (method) {
            case ACQUIRE -> {
                call.fingerprint = (byte[]) p[2];
                call.nonce = (byte[]) p[3];
                call.leaseMs = (Long) p[4];
                call.ttlMs = (Long) p[5];
                call.waitMs = options.get("wait_ms") instanceof Long wait
                        ? wait : 0;
                call.onOrphan = options.containsKey("on_orphan")
                        ? OnOrphan.REPORT : OnOrphan.TAKEOVER;
            }
            case COMPLETE -> {
                call.token = Token.of((byte[]) p[2]);
                call.result = p.length > 3 ? (byte[]) p[3] : null;
                call.ttlMs = p.length > 4 && p[4] != null ? (Long) p[4] : 0;
                call.isError = options.containsKey("class");
            }
            case RELEASE -> {
                call.token = Token.of((byte[]) p[2]);
                call.unbind = options.containsKey("unbind");
            }
            case RENEW -> {
                call.token = Token.of((byte[]) p[2]);
                call.leaseMs = (Long) p[3];
            }
            default -> { }
        }
        return call;
    }

    @Test
    void ourOwnBytesAreTheExamples() throws Exception {
        int compared = 0;
        for (String one : examples()) {
            if (one.charAt(0) != 'C') {
                continue;
            }
            Object[] frame = read(bytes(one.substring(1)), 1 << 20);
            Call call = callOf(frame);
            if (call == null || call.method == Call.Method.ACQUIRE
                    && call.nonce == null) {
                continue; // an order; or an acquire without a nonce
            }
            Packer out = new Packer(16);
            Wire.request(out, (Long) frame[1], call, call.waitMs, false);
            assertEquals(one.substring(1),
                    HexFormat.of().formatHex(out.toBytes()));
            compared++;
        }
        assertTrue(compared >= 14, "" + compared);
    }

    @Test
    void helloIsTheExamples() throws Exception {
        Packer out = new Packer(16);
        Wire.hello(out, 0, "shop/1.2", 3,
                "s3".getBytes(StandardCharsets.UTF_8));
        String hex = "C" + HexFormat.of().formatHex(out.toBytes());
        assertTrue(examples().contains(hex), hex);
        Hello hello = Hello.read(read(bytes(examples().stream()
                .filter(one -> one.startsWith("S940100c089")).findFirst()
                .orElseThrow().substring(1)), 65536)[3]);
        assertEquals(4, hello.shards());
        assertEquals(1048576, hello.resultBytesMax());
        assertTrue(hello.leads());
    }

    @Test
    void everyCutIsMoreAndNothingIsBelievedBeforeItIsThere()
            throws Exception {
        for (String one : examples()) {
            byte[] whole = bytes(one.substring(1));
            for (int cut = 0; cut < whole.length; cut++) {
                Unpacker from = new Unpacker(1 << 20);
                from.over(whole, 0, cut);
                if (one.contains("c70001")) {
                    continue; // is refused as soon as it is seen
                }
                Unpacker.More more = assertThrows(Unpacker.More.class,
                        from::value);
                assertTrue(more.least > cut && more.least <= whole.length);
            }
        }
    }

    @Test
    void hostileBytesAreMalformed() {
        for (String hex : List.of("dbffffffff", "c6ffffffff", "ddffffffff",
                "dc0041", "de0041", "c1", "c70001", "d40000",
                "91919191919191919190", "8101a0")) {
            Unpacker from = new Unpacker(4096);
            from.over(bytes(hex), 0, hex.length() / 2);
            assertThrows(Unpacker.Malformed.class, from::value, hex);
        }
        assertThrows(Unpacker.Malformed.class,
                () -> read(bytes("c51000" + "00".repeat(4096)), 4096));
    }

    /** The reference's own figures. */
    @Test
    void sipHash() {
        byte[] key = new byte[16];
        byte[] text = new byte[15];
        for (int i = 0; i < 16; i++) {
            key[i] = (byte) i;
            text[Math.min(i, 14)] = (byte) Math.min(i, 14);
        }
        assertEquals(0xa129ca6149be45e5L, new SipHash(key).of(text));
        assertEquals(0x726fdb47dd0e0e31L, new SipHash(key).of(new byte[0]));
    }
}
