// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpProblem;
import io.idemstore.spring.core.Refusal;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A request whose body can be read twice, from the moment it is recorded. */
final class RecordedRequest extends HttpServletRequestWrapper {
    private static final String ENCODINGS = "accept-encoding";

    private byte[] body;
    private boolean isPlain;
    private Map<String, String[]> parameters;

    RecordedRequest(HttpServletRequest request) {
        super(request);
    }

    boolean isRecorded() {
        return body != null;
    }

    byte[] body() {
        return body;
    }

    /** Nobody within may encode the answer for this client alone. */
    void hideEncodings() {
        isPlain = true;
    }

    /**
     * Reads the body.
     *
     * @throws Refusal it is over the limit, or was read before
     */
    void record(int bytesMax) {
        if (body != null) {
            return;
        }
        byte[] read;
        try {
            read = super.getInputStream().readNBytes(bytesMax + 1);
        } catch (IllegalStateException why) {
            throw new Refusal(HttpProblem.UNREADABLE.answer());
        } catch (IOException why) {
            throw new java.io.UncheckedIOException(why);
        }
        if (read.length > bytesMax) {
            throw new Refusal(HttpProblem.TOO_LARGE.answer());
        }
        if (read.length < getContentLengthLong()) {
            throw new Refusal(HttpProblem.UNREADABLE.answer());
        }
        body = read;
    }

    @Override
    public ServletInputStream getInputStream() throws IOException {
        return body == null ? super.getInputStream() : new Recorded(body);
    }

    @Override
    public BufferedReader getReader() throws IOException {
        return body == null ? super.getReader()
                : new BufferedReader(new InputStreamReader(getInputStream(),
                        charset()));
    }

    private Charset charset() {
        String name = getCharacterEncoding();
        return name == null ? StandardCharsets.UTF_8 : Charset.forName(name);
    }

    // ------------------------------------------------------------ parameters

    private boolean isForm() {
        String type = getContentType();
        return body != null && type != null && type.toLowerCase()
                .startsWith("application/x-www-form-urlencoded");
    }

    private Map<String, String[]> parameters() {
        if (parameters == null) {
            Map<String, List<String>> all = new LinkedHashMap<>();
            super.getParameterMap().forEach((name, values) -> all.put(name,
                    new ArrayList<>(Arrays.asList(values))));
            for (String pair : new String(body, StandardCharsets.ISO_8859_1)
                    .split("&")) {
                int equals = pair.indexOf('=');
                if (!pair.isEmpty()) {
                    all.computeIfAbsent(decoded(equals < 0 ? pair
                            : pair.substring(0, equals)),
                            name -> new ArrayList<>()).add(decoded(
                            equals < 0 ? "" : pair.substring(equals + 1)));
                }
            }
            parameters = new LinkedHashMap<>();
            all.forEach((name, values) -> parameters.put(name,
                    values.toArray(String[]::new)));
        }
        return parameters;
    }

    private String decoded(String text) {
        try {
            return URLDecoder.decode(text, charset());
        } catch (IllegalArgumentException why) {
            return text;
        }
    }

    @Override
    public String getParameter(String name) {
        if (!isForm()) {
            return super.getParameter(name);
        }
        String[] values = parameters().get(name);
        return values == null ? null : values[0];
    }

    @Override
    public Map<String, String[]> getParameterMap() {
        return isForm() ? Collections.unmodifiableMap(parameters())
                : super.getParameterMap();
    }

    @Override
    public Enumeration<String> getParameterNames() {
        return isForm() ? Collections.enumeration(parameters().keySet())
                : super.getParameterNames();
    }

    @Override
    public String[] getParameterValues(String name) {
        return isForm() ? parameters().get(name)
                : super.getParameterValues(name);
    }

    // --------------------------------------------------------------- headers

    private boolean isHidden(String name) {
        return isPlain && ENCODINGS.equalsIgnoreCase(name);
    }

    @Override
    public String getHeader(String name) {
        return isHidden(name) ? null : super.getHeader(name);
    }

    @Override
    public Enumeration<String> getHeaders(String name) {
        return isHidden(name) ? Collections.emptyEnumeration()
                : super.getHeaders(name);
    }

    @Override
    public Enumeration<String> getHeaderNames() {
        return Collections.enumeration(Collections.list(
                super.getHeaderNames()).stream()
                .filter(name -> !isHidden(name)).toList());
    }

    /** What was recorded, once more. */
    private static final class Recorded extends ServletInputStream {
        private final ByteArrayInputStream from;

        Recorded(byte[] body) {
            from = new ByteArrayInputStream(body);
        }

        @Override
        public int read() {
            return from.read();
        }

        @Override
        public int read(byte[] into, int at, int length) {
            return from.read(into, at, length);
        }

        @Override
        public int available() {
            return from.available();
        }

        @Override
        public boolean isFinished() {
            return from.available() == 0;
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setReadListener(ReadListener listener) {
            try {
                listener.onDataAvailable();
                listener.onAllDataRead();
            } catch (IOException why) {
                listener.onError(why);
            }
        }
    }
}
