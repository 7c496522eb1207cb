// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * A call that was not answered. Its message holds no key, no result and no
 * secret.
 */
public class IdemException extends RuntimeException {
    private final ErrorCode code;
    private final String endpoint;
    private final String primary;
    private final long retryMs;
    private transient byte[] nonce;

    public IdemException(ErrorCode code, String message) {
        this(code, message, "", "", -1, null);
    }

    protected IdemException(ErrorCode code, String message, Throwable cause) {
        this(code, message, "", "", -1, cause);
    }

    IdemException(ErrorCode code, String message, String endpoint,
            String primary, long retryMs, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.endpoint = endpoint;
        this.primary = primary;
        this.retryMs = retryMs;
    }

    static IdemException at(ErrorCode code, String endpoint, String message) {
        return new IdemException(code, message, endpoint, "", -1, null);
    }

    static IdemException argument(String message) {
        return new IdemException(ErrorCode.ARGUMENT, message);
    }

    /** Which error. */
    public ErrorCode code() {
        return code;
    }

    public ErrorCode.Assume assume() {
        return code.assume();
    }

    /** Nothing was sent: the record is as it was. */
    public boolean isUnchanged() {
        return assume() == ErrorCode.Assume.UNCHANGED;
    }

    /** The server said no, and changed nothing. */
    public boolean isRefused() {
        return assume() == ErrorCode.Assume.REFUSED;
    }

    /**
     * It may have taken effect: ask again with {@link #nonce} or with the
     * token, or peek.
     */
    public boolean isUnknown() {
        return assume() == ErrorCode.Assume.UNKNOWN;
    }

    /** "127.0.0.1:7117", or "" when no server was involved. */
    public String endpoint() {
        return endpoint;
    }

    /** NOT_PRIMARY: where the server says that the primary is, or "". */
    public String primary() {
        return primary;
    }

    /** LIMIT: after how long to ask again; -1: the server did not say. */
    public long retryMs() {
        return retryMs;
    }

    /** Of an acquire: what it was asked with; else null. */
    public byte[] nonce() {
        return nonce == null ? null : nonce.clone();
    }

    IdemException withNonce(byte[] asked) {
        nonce = asked;
        return this;
    }

    /** Another one that says the same, of one call alone. */
    IdemException ofCall(byte[] asked) {
        return new IdemException(code, getMessage(), endpoint, primary,
                retryMs, getCause()).withNonce(asked);
    }
}
