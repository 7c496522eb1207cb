// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Each rule of docs/http.md as data: proto/vectors. */
class VectorsTest {
    static final Path FOLDER = folder();

    private static Path folder() {
        Path at = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(at.resolve("proto/vectors"))) {
            at = at.getParent();
        }
        return at.resolve("proto/vectors");
    }

    /** What is made of a row, as text. */
    interface Made {
        Object of(Map<String, Object> row);
    }

    private static Stream<DynamicTest> rows(String name, String wanted,
            Made made) {
        List<String> lines;
        try {
            lines = Files.readAllLines(FOLDER.resolve(name));
        } catch (IOException why) {
            throw new UncheckedIOException(why);
        }
        assertTrue(lines.size() > 3, name);
        return lines.stream().map(Json::object).map(row ->
                DynamicTest.dynamicTest((String) row.get("what"), () ->
                assertEquals(row.containsKey("error") ? row.get("error")
                        : row.get(wanted), told(made, row))));
    }

    private static Object told(Made made, Map<String, Object> row) {
        try {
            return made.of(row);
        } catch (IdemException why) {
            return why.code().name().toLowerCase(Locale.ROOT);
        }
    }

    private static String text(Map<String, Object> row, String name) {
        return (String) row.get(name);
    }

    private static byte[] unhex(Map<String, Object> row, String name) {
        String digits = text(row, name);
        return digits == null ? null : HexFormat.of().parseHex(digits);
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }

    @TestFactory
    Stream<DynamicTest> theHeader() {
        return rows("http_keys.jsonl", "key",
                row -> HttpKey.of(text(row, "value")));
    }

    @TestFactory
    Stream<DynamicTest> theKeyInTheStore() {
        return rows("http_store_keys.jsonl", "store_key",
                row -> HttpKey.storeKey(text(row, "key"),
                        text(row, "method"), text(row, "target"),
                        text(row, "principal")));
    }

    @TestFactory
    Stream<DynamicTest> theFingerprint() {
        return rows("http_fingerprints.jsonl", "fingerprint_hex",
                row -> hex(HttpKey.fingerprint(text(row, "method"),
                        text(row, "target"), text(row, "content_type"),
                        unhex(row, "body_hex"))));
    }

    @SuppressWarnings("unchecked")
    private static List<HttpAnswer.Header> headers(Map<String, Object> row) {
        List<HttpAnswer.Header> made = new ArrayList<>();
        for (List<String> one : (List<List<String>>) row.get("headers")) {
            made.add(new HttpAnswer.Header(one.get(0), one.get(1)));
        }
        return made;
    }

    @TestFactory
    @SuppressWarnings("unchecked")
    Stream<DynamicTest> whatIsStored() {
        return rows("http_packs.jsonl", "result_hex",
                row -> hex(HttpAnswer.pack(
                        ((Long) row.get("status")).intValue(), headers(row),
                        unhex(row, "body_hex"),
                        (Collection<String>) row.getOrDefault("keep",
                                List.of()),
                        ((Long) row.getOrDefault("result_bytes_max",
                                1L << 20)).intValue())));
    }

    @TestFactory
    Stream<DynamicTest> whatIsRead() {
        return rows("http_answers.jsonl", "same", row -> {
            HttpAnswer got = HttpAnswer.unpack(unhex(row, "result_hex"));
            assertEquals(row.get("status"), (long) got.status());
            assertEquals(headers(row), got.headers());
            assertEquals(row.get("body_hex"), hex(got.body()));
            return row.get("same");
        });
    }

    private static Map<String, Object> table() throws IOException {
        return Json.object(Files.readString(
                FOLDER.resolve("http_statuses.json"),
                StandardCharsets.UTF_8));
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> objects(Object list) {
        return (List<Map<String, Object>>) list;
    }

    private static boolean fits(Map<String, Object> rule, long status,
            String origin) {
        return (!rule.containsKey("origin")
                || ((List<?>) rule.get("origin")).contains(origin))
                && (!rule.containsKey("status")
                || ((List<?>) rule.get("status")).contains(status))
                && status >= (Long) rule.getOrDefault("from", status)
                && status <= (Long) rule.getOrDefault("to", status);
    }

    @Test
    void whatBecomesOfAClaim() throws IOException {
        List<Map<String, Object>> rules = objects(table().get("rules"));
        for (HttpAnswer.Origin origin : HttpAnswer.Origin.values()) {
            String word = origin.name().toLowerCase(Locale.ROOT);
            for (HttpAnswer.Fate onError : HttpAnswer.Fate.values()) {
                for (int status = 100; status <= 600; status++) {
                    long at = status;
                    String fate = (String) rules.stream()
                            .filter(rule -> fits(rule, at, word))
                            .findFirst().orElseThrow().get("fate");
                    HttpAnswer.Fate want = fate.equals("on_error") ? onError
                            : HttpAnswer.Fate.valueOf(
                                    fate.toUpperCase(Locale.ROOT));
                    assertEquals(want,
                            HttpAnswer.fate(status, origin, onError),
                            origin + " " + status);
                }
            }
        }
    }

    @Test
    void whichErrorsAnOpenServiceMayPass() throws IOException {
        Set<String> known = new TreeSet<>();
        Set<String> pass = new TreeSet<>();
        for (ErrorCode code : ErrorCode.values()) {
            known.add(code.name());
            if (code.mayPass()) {
                pass.add(code.name());
            }
        }
        Set<Object> want = new TreeSet<>(
                (List<?>) table().get("on_unavailable_open"));
        want.retainAll(known);
        assertEquals(want, pass);
    }

    @Test
    void whatEachOutcomeIs() throws IOException {
        Map<String, AcquireAnswer> made = Map.of(
                "in_progress", new InProgress(1500, 1, 1),
                "mismatch", new Mismatch(State.COMPLETED),
                "orphaned", new Orphaned(1, 1));
        int seen = 0;
        for (Map<String, Object> row : objects(table().get("answers"))) {
            AcquireAnswer answer = made.get(row.get("outcome"));
            if (answer != null) {
                HttpAnswer got = HttpProblem.of(answer);
                assertEquals(row.get("status"), (long) got.status());
                assertEquals(row.get("retry_after"),
                        got.header("Retry-After") != null);
                seen++;
            }
        }
        assertEquals(3, seen);
    }

    @Test
    void whatEachErrorIs() throws IOException {
        for (ErrorCode code : ErrorCode.values()) {
            if (code == ErrorCode.INTERRUPTED) {
                continue; // Java's own
            }
            long want = 500;
            for (Map<String, Object> row : objects(table().get("errors"))) {
                if (row.get("errors") instanceof List<?> codes
                        && codes.contains(code.name())) {
                    want = (Long) row.get("status");
                }
            }
            assertEquals(want, HttpProblem.of(code).status(), code.name());
        }
    }

    @Test
    void aReplayIsMarked() {
        HttpAnswer got = HttpAnswer.replayed(HttpAnswer.pack(201, List.of(
                new HttpAnswer.Header("Location", "/7")), null, List.of(),
                1000));
        assertEquals("true; body=dropped",
                got.header("Idempotency-Replayed"));
        assertEquals("/7", got.header("location"));
        assertEquals(0, got.body().length);
        assertEquals(500, HttpAnswer.replayed(null).status());
        assertEquals(500, HttpAnswer.replayed(new byte[] {1}).status());
    }
}
