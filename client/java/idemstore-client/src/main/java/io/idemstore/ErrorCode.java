// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What kept a call from being answered, and what that lets one assume. */
public enum ErrorCode {
    PROTOCOL(Assume.REFUSED, "the server did not understand the bytes"),
    UNKNOWN_METHOD(Assume.REFUSED, "the server does not know the method"),
    BAD_REQUEST(Assume.REFUSED, "the server refused the parameters"),
    TOO_LARGE(Assume.REFUSED, "a field is over the server's limit"),
    LIMIT(Assume.REFUSED, "too many waiters, connections or requests"),
    NO_MEMORY(Assume.REFUSED, "the server's memory limit is reached"),
    DENIED(Assume.REFUSED, "a secret is needed, or it is wrong"),
    NOT_PRIMARY(Assume.REFUSED, "the server is not the primary"),
    UNREPLICATED(Assume.UNKNOWN, "the replica has not confirmed the change"),
    SHUTTING_DOWN(Assume.REFUSED, "the server is going down"),
    /** An error code of a newer version. */
    SERVER(Assume.UNKNOWN, "the server sent an error of a newer version"),

    ARGUMENT(Assume.UNCHANGED, "an argument is not legal"),
    URI(Assume.UNCHANGED, "the URI is not legal"),
    CONNECT(Assume.UNCHANGED, "no endpoint could be reached"),
    TLS(Assume.UNCHANGED, "no TLS connection could be made"),
    TIMEOUT_UNSENT(Assume.UNCHANGED, "the deadline passed before sending"),
    CLOSED(Assume.UNCHANGED, "the store was closed before sending"),
    /** Only with fail_fast_ms. */
    CHANGES_WAIT(Assume.UNCHANGED, "changes wait for the replica"),
    KEY_MISSING(Assume.UNCHANGED, "there is no Idempotency-Key"),
    KEY_MALFORMED(Assume.UNCHANGED, "the Idempotency-Key is malformed"),
    NOT_HTTP(Assume.UNCHANGED, "the stored result is no HTTP answer"),

    TIMEOUT(Assume.UNKNOWN, "no answer came before the deadline"),
    LOST(Assume.UNKNOWN, "the connection was lost before the answer"),
    GARBLED(Assume.UNKNOWN, "the reply is not an answer to the call"),
    /** The thread was interrupted while it waited for an acquire. */
    INTERRUPTED(Assume.UNKNOWN, "the thread was interrupted"),
    NOT_RECORDED(Assume.UNKNOWN, "it was done, but not surely recorded");

    /** What may be assumed of the record. */
    public enum Assume {
        /** The server said no, and changed nothing. */
        REFUSED,
        /** Nothing was sent: the record is as it was. */
        UNCHANGED,
        /**
         * It may have taken effect. Ask again with the same nonce (acquire)
         * or token: it takes effect at most once.
         */
        UNKNOWN
    }

    private final Assume assume;
    private final String text;

    ErrorCode(Assume assume, String text) {
        this.assume = assume;
        this.text = text;
    }

    public Assume assume() {
        return assume;
    }

    /** One line for people. */
    public String text() {
        return text;
    }

    /**
     * The store can't be reached or does not answer: on_unavailable = open
     * may let a request through after these, and after no other.
     */
    public boolean mayPass() {
        return switch (this) {
            case CONNECT, TIMEOUT_UNSENT, CLOSED, CHANGES_WAIT, TIMEOUT,
                    LOST -> true;
            default -> false;
        };
    }

    /** Codes that a server may send. */
    static ErrorCode ofWire(String word) {
        return switch (word) {
            case "PROTOCOL" -> PROTOCOL;
            case "UNKNOWN_METHOD" -> UNKNOWN_METHOD;
            case "BAD_REQUEST" -> BAD_REQUEST;
            case "TOO_LARGE" -> TOO_LARGE;
            case "LIMIT" -> LIMIT;
            case "NO_MEMORY" -> NO_MEMORY;
            case "DENIED" -> DENIED;
            case "NOT_PRIMARY" -> NOT_PRIMARY;
            case "UNREPLICATED" -> UNREPLICATED;
            case "SHUTTING_DOWN" -> SHUTTING_DOWN;
            default -> SERVER;
        };
    }
}
