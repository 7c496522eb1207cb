// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The URI's grammar, part by part. Every refusal names its part, and no part
 * that may be the secret is ever quoted.
 */
final class StoreUri {
    static final int PORT = 7117;
    static final int HOSTS_MAX = 16;
    static final int SECRET_BYTES_MAX = 256;
    static final int CLIENT_BYTES_MAX = 128;

    private record Bounds(long standard, long least, long most) {
    }

    private static final Map<String, Bounds> NUMBERS = new LinkedHashMap<>();
    private static final Set<String> TEXTS = Set.of("namespace",
            "secret_file", "client", "ca", "cert", "key", "verify",
            "server_name");

    static {
        NUMBERS.put("timeout_ms", new Bounds(5000, 1, 86400000));
        NUMBERS.put("connect_timeout_ms", new Bounds(1000, 1, 60000));
        NUMBERS.put("fail_fast_ms", new Bounds(0, 500, 60000));
        NUMBERS.put("connect_rounds", new Bounds(0, 1, 1000));
        NUMBERS.put("shard_aware", new Bounds(1, 0, 1));
    }

    final List<Endpoint> endpoints = new ArrayList<>();
    final Map<String, String> texts = new HashMap<>();
    private final Map<String, Long> numbers = new HashMap<>();
    boolean tls;
    byte[] secret;
    String ns = "";

    private StoreUri() {
        NUMBERS.forEach((name, row) -> numbers.put(name, row.standard));
    }

    long number(String name) {
        return numbers.get(name);
    }

    long ticks(String name) {
        return number(name) * Ticks.MS;
    }

    private static IdemException fail(String text) {
        return new IdemException(ErrorCode.URI, text);
    }

    private static IdemException bad(String text) {
        return fail("the URI's " + text);
    }

    private static IdemException hidden(String what) {
        return bad(what + " has a byte below 0x21, or 0x7f; is there a blank "
                + "or a line end in it?");
    }

    /** -1: it is none, or out of bounds. */
    static long number(String text, long least, long most) {
        if (text.isEmpty() || text.length() > 10
                || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return -1;
        }
        long value = Long.parseLong(text);
        return value >= least && value <= most ? value : -1;
    }

    // ------------------------------------------------------------- decoding

    private static byte[] decode(String part, String what, int most,
            boolean isPath) {
        byte[] raw = part.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream made = new ByteArrayOutputStream();
        for (int i = 0; i < raw.length; i++) {
            int c = raw[i] & 0xFF;
            if (isControl(c)) {
                throw hidden(what);
            }
            if (c == '%') {
                c = coded(raw, i, what);
                i += 2;
                if (isControl(c) && !(isPath && c == ' ')) {
                    throw hidden(what);
                }
            }
            made.write(c);
        }
        if (made.size() > most) {
            throw bad(what + " is over " + most + " bytes long");
        }
        return made.toByteArray();
    }

    private static boolean isControl(int c) {
        return c < 0x21 || c == 0x7F;
    }

    private static int coded(byte[] raw, int at, String what) {
        int high = at + 2 < raw.length ? Character.digit(raw[at + 1], 16) : -1;
        int low = at + 2 < raw.length ? Character.digit(raw[at + 2], 16) : -1;
        if (high < 0 || low < 0) {
            throw bad(what + " has a % without two hex digits; a % itself is "
                    + "written %25");
        }
        return high << 4 | low;
    }

    private static String text(String part, String what, int most,
            boolean isPath) {
        return new String(decode(part, what, most, isPath),
                StandardCharsets.UTF_8);
    }

    // ---------------------------------------------------------------- parts

    private void readEndpoints(String hosts) {
        String[] all = hosts.split(",", -1);
        if (all.length > HOSTS_MAX) {
            throw fail("the URI names more than " + HOSTS_MAX + " hosts");
        }
        for (int i = 0; i < all.length; i++) {
            try {
                endpoints.add(Endpoint.parse(all[i], PORT));
            } catch (IllegalArgumentException why) {
                throw bad("host number " + (i + 1) + ": " + why.getMessage());
            }
        }
    }

    /** What follows the userinfo. */
    private String readUserinfo(String authority, String whole) {
        int at = authority.lastIndexOf('@');
        if (at < 0) {
            if (authority.startsWith(":") && whole.indexOf('@') >= 0) {
                throw bad("secret has a / or a ? in it: write %2F, %3F");
            }
            return authority;
        }
        if (!authority.startsWith(":")) {
            throw fail("the URI has a user name, there are none: write "
                    + ":SECRET@ before the host");
        }
        secret = decode(authority.substring(1, at), "secret",
                SECRET_BYTES_MAX, false);
        return authority.substring(at + 1);
    }

    private void readOption(String name, String value) {
        if (NUMBERS.containsKey(name)) {
            Bounds row = NUMBERS.get(name);
            long number = number(value, row.least, row.most);
            if (number < 0) {
                throw bad(name + " is a number from " + row.least + " to "
                        + row.most);
            }
            numbers.put(name, number);
        } else if (name.equals("namespace")) {
            ns = text(value, name, Key.NAMESPACE_BYTES_MAX, false);
        } else if (name.equals("client")) {
            texts.put(name, text(value, name, CLIENT_BYTES_MAX, false));
        } else if (name.equals("verify")) {
            if (!Set.of("full", "ca", "none").contains(value)) {
                throw bad("verify is full, ca or none");
            }
            texts.put(name, value);
        } else if (TEXTS.contains(name)) {
            texts.put(name, text(value, name, 4095, true));
        } else {
            throw fail("the URI has an unknown option, "
                    + name.substring(0, Math.min(name.length(), 40))
                    + "; there are " + String.join(", ", NUMBERS.keySet())
                    + ", " + String.join(", ", TEXTS));
        }
    }

    private void readOptions(String query) {
        for (String one : query.split("&")) {
            if (one.isEmpty()) {
                continue;
            }
            int is = one.indexOf('=');
            String name = is < 0 ? one : one.substring(0, is);
            if (name.chars().anyMatch(StoreUri::isControl)) {
                throw hidden("option name");
            }
            if (is < 0) {
                throw bad("option " + name.substring(0,
                        Math.min(name.length(), 40)) + " has no =value");
            }
            readOption(name, one.substring(is + 1));
        }
    }

    private void readUnix(String rest) {
        int slash = rest.indexOf('/');
        if (slash < 0) {
            throw fail("the URI names no socket: idem+unix:///path/to/it");
        }
        if (!readUserinfo(rest.substring(0, slash), rest).isEmpty()) {
            throw bad("socket path must begin with a slash: "
                    + "idem+unix:///path/to/it");
        }
        String path = text(rest.substring(slash), "socket path", 107, true);
        if (path.equals("/")) {
            throw fail("the URI names no socket: idem+unix:///path/to/it");
        }
        endpoints.add(new Endpoint(path, 0));
    }

    // --------------------------------------------------------------- secret

    private static byte[] readSecret(String path) {
        byte[] front;
        try (InputStream file = Files.newInputStream(Path.of(path))) {
            front = file.readNBytes(SECRET_BYTES_MAX + 3);
        } catch (IOException | RuntimeException why) {
            throw bad("secret_file "
                    + path.substring(0, Math.min(path.length(), 200))
                    + " can't be read: " + why.getClass().getSimpleName());
        }
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (byte c : front) {
            if (c == '\r' || c == '\n') {
                break;
            }
            if (c >= 0 && c < 0x20 || c == 0x7F) {
                throw hidden("secret_file, in its first line,");
            }
            line.write(c);
        }
        if (line.size() < 1 || line.size() > SECRET_BYTES_MAX) {
            throw fail("the first line of secret_file must have 1 to "
                    + SECRET_BYTES_MAX + " bytes");
        }
        return line.toByteArray();
    }

    /** The URI's own first, the given one, secret_file, the environment. */
    private void findSecret(String given) {
        if (secret != null) {
            return;
        }
        String text = given;
        if (text == null && texts.containsKey("secret_file")) {
            secret = readSecret(texts.get("secret_file"));
            return;
        }
        if (text == null) {
            text = System.getenv("IDEMSTORE_SECRET");
            text = text == null || text.isEmpty() ? null : text;
        }
        if (text != null) {
            secret = text.getBytes(StandardCharsets.UTF_8);
            if (secret.length < 1 || secret.length > SECRET_BYTES_MAX) {
                throw fail("the secret must have 1 to " + SECRET_BYTES_MAX
                        + " bytes");
            }
        }
    }

    /**
     * @param secret null: from where {@link #findSecret} looks
     * @throws IdemException URI
     */
    static StoreUri parse(String text, String secret) {
        StoreUri uri = new StoreUri();
        int sep = text.indexOf("://");
        String scheme = sep < 0 ? "" : text.substring(0, sep);
        if (!Set.of("idem", "idems", "idem+unix").contains(scheme)) {
            throw bad("scheme is idem://, idems:// or idem+unix://");
        }
        uri.tls = scheme.equals("idems");
        String rest = text.substring(sep + 3);
        int mark = rest.indexOf('?');
        String query = mark < 0 ? "" : rest.substring(mark + 1);
        rest = mark < 0 ? rest : rest.substring(0, mark);
        if (scheme.equals("idem+unix")) {
            uri.readUnix(rest);
        } else {
            int slash = rest.indexOf('/');
            String authority = slash < 0 ? rest : rest.substring(0, slash);
            uri.readEndpoints(uri.readUserinfo(authority, rest + query));
            uri.ns = text(slash < 0 ? "" : rest.substring(slash + 1),
                    "namespace", Key.NAMESPACE_BYTES_MAX, false);
        }
        uri.readOptions(query);
        uri.findSecret(secret);
        return uri;
    }
}
