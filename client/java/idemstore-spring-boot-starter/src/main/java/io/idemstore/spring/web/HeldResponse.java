// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.HttpAnswer.Header;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * An answer that is held back a little: its last part leaves after the claim
 * is settled. What is flushed leaves when more is written; a client that is
 * gone stops nothing. Without a claim it is the answer underneath.
 */
final class HeldResponse extends HttpServletResponseWrapper {
    private static final int HELD_BYTES_MAX = 64 << 10;

    /** The container's thread lets go while another one writes. */
    private final ReentrantLock lock = new ReentrantLock();
    private final ByteArrayOutputStream held =
            new ByteArrayOutputStream(256);
    private HttpClaim claim;
    private boolean isHolding;
    private int flushedBytes = -1;
    private boolean hasSent;
    private boolean isGone;
    private boolean isError;
    private Stream stream;
    private PrintWriter writer;

    HeldResponse(HttpServletResponse response) {
        super(response);
    }

    /** From here on it is captured. */
    void hold(HttpClaim by) {
        claim = by;
        isHolding = true;
    }

    /** It is held back again: its request came back. */
    void holdAgain() {
        isHolding = claim != null;
    }

    /** Something was sent: it can't be taken back. */
    boolean hasSent() {
        return hasSent || super.isCommitted();
    }

    /** sendError was called: the container writes an error page. */
    boolean isError() {
        return isError;
    }

    List<Header> headers() {
        List<Header> made = new ArrayList<>();
        Collection<String> names = getHeaderNames();
        for (String name : names) {
            for (String value : getHeaders(name)) {
                made.add(new Header(name, value));
            }
        }
        if (getContentType() != null && names.stream()
                .noneMatch("content-type"::equalsIgnoreCase)) {
            made.add(new Header("content-type", getContentType()));
        }
        return made;
    }

    /** What was held back leaves, and all that follows at once. */
    void letGo() {
        flushWriter();
        lock.lock();
        try {
            boolean isFlushed = flushedBytes >= 0;
            push();
            isHolding = false;
            if (isFlushed) {
                tell(super::flushBuffer);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Another answer in its place; nothing may have been sent. */
    void replace(HttpAnswer answer) throws IOException {
        held.reset();
        super.reset();
        claim = null;
        isHolding = false;
        writer = null;
        write((HttpServletResponse) getResponse(), answer);
    }

    static void write(HttpServletResponse to, HttpAnswer answer)
            throws IOException {
        to.setStatus(answer.status());
        for (Header one : answer.headers()) {
            to.addHeader(one.name(), one.value());
        }
        byte[] body = answer.body() == null ? new byte[0] : answer.body();
        if (answer.status() != 204 && answer.status() != 304) {
            to.setContentLength(body.length);
            to.getOutputStream().write(body);
        }
        to.flushBuffer();
    }

    void flushWriter() {
        if (writer != null) {
            writer.flush();
        }
    }

    // ------------------------------------------------------------ the parts

    private void add(byte[] part, int from, int length) throws IOException {
        if (claim == null) {
            out().write(part, from, length);
            return;
        }
        lock.lock();
        try {
            addHeld(part, from, length);
        } finally {
            lock.unlock();
        }
    }

    private void addHeld(byte[] part, int from, int length)
            throws IOException {
        if (WebPolicy.isEventStream(getContentType())) {
            claim.capture().drop();
            letGo();
            out().write(part, from, length); // it has to hear that it left
            return;
        }
        claim.capture().add(part, from, length);
        if (!isHolding) {
            tell(() -> out().write(part, from, length));
            return;
        }
        if (flushedBytes >= 0 || held.size() + length > HELD_BYTES_MAX) {
            boolean isFlushed = flushedBytes >= 0;
            push();
            if (isFlushed) {
                tell(super::flushBuffer);
            }
        }
        held.write(part, from, length);
    }

    private void push() {
        flushedBytes = -1;
        if (held.size() > 0) {
            byte[] parts = held.toByteArray();
            held.reset();
            hasSent = true;
            tell(() -> out().write(parts));
        }
    }

    private ServletOutputStream out() throws IOException {
        return getResponse().getOutputStream();
    }

    private interface Sending {
        void send() throws IOException;
    }

    private void tell(Sending what) {
        if (!isGone) {
            try {
                what.send();
            } catch (IOException why) {
                isGone = true;
            }
        }
    }

    // ------------------------------------------------------- what is called

    @Override
    public ServletOutputStream getOutputStream() throws IOException {
        if (stream == null) {
            stream = new Stream();
        }
        return stream;
    }

    @Override
    public PrintWriter getWriter() throws IOException {
        if (writer == null) {
            String name = getCharacterEncoding();
            Charset charset = name == null ? StandardCharsets.ISO_8859_1
                    : Charset.forName(name);
            super.setCharacterEncoding(charset.name());
            writer = new PrintWriter(new OutputStreamWriter(
                    getOutputStream(), charset));
        }
        return writer;
    }

    @Override
    public void flushBuffer() throws IOException {
        flushWriter();
        flush();
    }

    private void flush() throws IOException {
        lock.lock();
        try {
            flushHeld();
        } finally {
            lock.unlock();
        }
    }

    private void flushHeld() throws IOException {
        if (claim == null || WebPolicy.isEventStream(getContentType())) {
            if (claim != null) {
                letGo();
            }
            super.flushBuffer();
        } else if (isHolding) {
            flushedBytes = held.size();
        } else {
            tell(super::flushBuffer);
        }
    }

    @Override
    public void reset() {
        super.reset();
        forget();
        writer = null;
    }

    @Override
    public void resetBuffer() {
        super.resetBuffer();
        forget();
    }

    private void forget() {
        held.reset();
        flushedBytes = -1;
        if (claim != null) {
            claim.capture().clear();
        }
    }

    @Override
    public void sendError(int status) throws IOException {
        sendError(status, null);
    }

    @Override
    public void sendError(int status, String message) throws IOException {
        forget();
        isError = true;
        if (message == null) {
            super.sendError(status);
        } else {
            super.sendError(status, message);
        }
    }

    /** What handlers write to. */
    private final class Stream extends ServletOutputStream {
        @Override
        public void write(int one) throws IOException {
            add(new byte[] {(byte) one}, 0, 1);
        }

        @Override
        public void write(byte[] part, int from, int length)
                throws IOException {
            add(part, from, length);
        }

        @Override
        public void flush() throws IOException {
            HeldResponse.this.flush();
        }

        @Override
        public void close() throws IOException {
            if (claim == null) {
                out().close();
            }
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setWriteListener(WriteListener listener) {
            try {
                out().setWriteListener(listener);
            } catch (IOException why) {
                listener.onError(why);
            }
        }
    }
}
