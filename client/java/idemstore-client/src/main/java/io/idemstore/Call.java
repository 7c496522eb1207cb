// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** One call as it was asked: arguments checked, in the wire's words. */
final class Call {
    /** What can be asked. */
    enum Method {
        ACQUIRE("acquire", true), COMPLETE("complete", true),
        RELEASE("release", true), RENEW("renew", true), PEEK("peek", false),
        PING("ping", false), STATS("stats", false);

        final String word;
        final byte[] bytes;
        final boolean isChange;

        Method(String word, boolean isChange) {
            this.word = word;
            this.bytes = Wire.ascii(word);
            this.isChange = isChange;
        }
    }

    final Method method;
    final byte[] ns;
    final byte[] key;
    byte[] fingerprint;
    byte[] nonce;
    Token token;
    long leaseMs;
    long ttlMs;
    long waitMs;
    OnOrphan onOrphan = OnOrphan.TAKEOVER;
    byte[] result;
    boolean isError;
    boolean unbind;
    long timeoutMs;
    /** When the attempt that was answered went out. */
    volatile long sentNs;

    Call(Method method, byte[] ns, byte[] key) {
        this.method = method;
        this.ns = ns;
        this.key = key;
    }
}
