// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** As much JSON as the vectors and the suite's lines have. */
final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(String text) {
        Json from = new Json(text);
        Object value = from.value();
        from.blanks();
        if (from.at != text.length()) {
            throw from.wrong();
        }
        return value;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(String text) {
        return (Map<String, Object>) parse(text);
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no JSON at " + at);
    }

    private void blanks() {
        while (at < text.length() && text.charAt(at) <= ' ') {
            at++;
        }
    }

    private boolean takes(char c) {
        blanks();
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private void demand(char c) {
        if (!takes(c)) {
            throw wrong();
        }
    }

    private Object value() {
        blanks();
        return switch (text.charAt(at)) {
            case '{' -> map();
            case '[' -> list();
            case '"' -> string();
            case 't', 'f', 'n' -> word();
            default -> number();
        };
    }

    private Map<String, Object> map() {
        Map<String, Object> made = new LinkedHashMap<>();
        demand('{');
        if (takes('}')) {
            return made;
        }
        do {
            blanks();
            String name = string();
            demand(':');
            made.put(name, value());
        } while (takes(','));
        demand('}');
        return made;
    }

    private List<Object> list() {
        List<Object> made = new ArrayList<>();
        demand('[');
        if (takes(']')) {
            return made;
        }
        do {
            made.add(value());
        } while (takes(','));
        demand(']');
        return made;
    }

    private String string() {
        StringBuilder made = new StringBuilder();
        demand('"');
        while (text.charAt(at) != '"') {
            char c = text.charAt(at++);
            made.append(c == '\\' ? escaped() : c);
        }
        at++;
        return made.toString();
    }

    private char escaped() {
        char c = text.charAt(at++);
        switch (c) {
            case 'n': return '\n';
            case 't': return '\t';
            case 'r': return '\r';
            case 'b': return '\b';
            case 'f': return '\f';
            case 'u':
                at += 4;
                return (char) Integer.parseInt(
                        text.substring(at - 4, at), 16);
            default: return c;
        }
    }

    private Object word() {
        for (String one : new String[] {"true", "false", "null"}) {
            if (text.startsWith(one, at)) {
                at += one.length();
                return one.equals("null") ? null : (Object) one.equals("true");
            }
        }
        throw wrong();
    }

    private Object number() {
        int from = at;
        while (at < text.length()
                && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(from, at);
        return digits.matches("-?[0-9]+") ? (Object) Long.valueOf(digits)
                : (Object) Double.valueOf(digits);
    }

    /** A flat object of strings, numbers and booleans; null is left out. */
    static String line(Map<String, ?> values) {
        StringBuilder made = new StringBuilder("{");
        values.forEach((name, value) -> {
            if (value != null) {
                made.append(made.length() > 1 ? "," : "").append(quote(name))
                        .append(':').append(write(value));
            }
        });
        return made.append('}').toString();
    }

    private static String write(Object value) {
        if (value instanceof List<?> list) {
            return "[" + String.join(",",
                    list.stream().map(Json::write).toList()) + "]";
        }
        return value instanceof String s ? quote(s) : value.toString();
    }

    private static String quote(String text) {
        StringBuilder made = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                made.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                made.append(String.format("\\u%04x", (int) c));
            } else {
                made.append(c);
            }
        }
        return made.append('"').toString();
    }
}
