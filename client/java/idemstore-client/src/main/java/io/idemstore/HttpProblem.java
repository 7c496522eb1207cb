// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What is said in a handler's place: a status, and a problem document
 * (RFC 9457). The same in every language.
 */
public enum HttpProblem {
    IN_PROGRESS(409, "Conflict",
            "A request with this Idempotency-Key is being processed."),
    ORPHANED(409, "Conflict", "An earlier request with this Idempotency-Key "
            + "ended in an unknown state."),
    MISMATCH(422, "Unprocessable Content",
            "This Idempotency-Key was used with a different request."),
    STALE(500, "Internal Server Error",
            "Another request took this Idempotency-Key over."),
    KEY_MISSING(400, "Bad Request",
            "This operation needs an Idempotency-Key header."),
    KEY_MALFORMED(400, "Bad Request", "The Idempotency-Key must be a string "
            + "of 1 to 255 visible ASCII characters."),
    NOT_RECORDED(500, "Internal Server Error", "The request was carried out, "
            + "but its answer could not be stored."),
    NO_PRINCIPAL(401, "Unauthorized", "An Idempotency-Key belongs to who is "
            + "authenticated, and nobody is."),
    TOO_LARGE(413, "Content Too Large", "The request is too large to be "
            + "compared with a later one."),
    MULTIPART(415, "Unsupported Media Type", "A multipart body is another "
            + "one each time it is sent; this service takes none with an "
            + "Idempotency-Key."),
    UNREADABLE(500, "Internal Server Error", "The request's body was read "
            + "before it could be compared; what reads it must go behind "
            + "idemstore's filter."),
    NOT_HTTP(500, "Internal Server Error", "The request was carried out, but "
            + "what was stored is no HTTP answer."),
    UNAVAILABLE(503, "Service Unavailable", "Whether this request was seen "
            + "before can't be told now; send it again with the same "
            + "Idempotency-Key."),
    ERROR(500, "Internal Server Error", "The request could not be checked "
            + "against its Idempotency-Key.");

    private final int status;
    private final String title;
    private final String detail;

    HttpProblem(int status, String title, String detail) {
        this.status = status;
        this.title = title;
        this.detail = detail;
    }

    public int status() {
        return status;
    }

    public String detail() {
        return detail;
    }

    /** Without Retry-After. */
    public HttpAnswer answer() {
        return answer(0);
    }

    /**
     * As application/problem+json.
     *
     * @param retryAfterS seconds; 0: without Retry-After
     */
    public HttpAnswer answer(long retryAfterS) {
        String body = "{\"type\":\"about:blank\",\"title\":\"" + title
                + "\",\"status\":" + status + ",\"detail\":\"" + detail
                + "\",\"outcome\":\"" + name().toLowerCase(Locale.ROOT)
                + "\"}";
        List<HttpAnswer.Header> headers = new ArrayList<>();
        headers.add(new HttpAnswer.Header("content-type",
                "application/problem+json"));
        if (retryAfterS > 0) {
            headers.add(new HttpAnswer.Header("retry-after",
                    Long.toString(retryAfterS)));
        }
        return new HttpAnswer(status, headers,
                body.getBytes(StandardCharsets.US_ASCII));
    }

    /**
     * What somebody hears who does not get the claim, and no replay.
     *
     * @param answer InProgress, Mismatch or Orphaned
     * @throws IdemException ARGUMENT: another one
     */
    public static HttpAnswer of(AcquireAnswer answer) {
        if (answer instanceof InProgress busy) {
            return IN_PROGRESS.answer(
                    Math.max((busy.leaseLeftMs() + 999) / 1000, 1));
        }
        if (answer instanceof Mismatch) {
            return MISMATCH.answer();
        }
        if (answer instanceof Orphaned) {
            return ORPHANED.answer();
        }
        throw IdemException.argument("acquired and replay are no problems");
    }

    /** What somebody hears where a call was not answered. */
    public static HttpAnswer of(IdemException error) {
        return of(error.code());
    }

    /** What somebody hears where a call was not answered. */
    public static HttpAnswer of(ErrorCode code) {
        return switch (code) {
            case KEY_MISSING -> KEY_MISSING.answer();
            case KEY_MALFORMED -> KEY_MALFORMED.answer();
            case NOT_RECORDED -> NOT_RECORDED.answer();
            case NOT_HTTP -> NOT_HTTP.answer();
            case LIMIT, NO_MEMORY, NOT_PRIMARY, UNREPLICATED, CHANGES_WAIT,
                    SHUTTING_DOWN, CONNECT, TIMEOUT_UNSENT, CLOSED, TIMEOUT,
                    LOST, INTERRUPTED -> UNAVAILABLE.answer(1);
            default -> ERROR.answer();
        };
    }
}
