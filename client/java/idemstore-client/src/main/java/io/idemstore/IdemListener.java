// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * Hears of each call, for spans and meters. It gets neither key nor result.
 * It must not block and not throw.
 *
 * <p>With OpenTelemetry:
 * <pre>
 * new IdemListener() {
 *     public Object callStarted(String method) {
 *         return Span.current();
 *     }
 *     public void callEnded(Object span, CallEvent event) {
 *         event.attributes().forEach(((Span) span)::setAttribute);
 *     }
 * }
 * </pre>
 */
public interface IdemListener {

    /**
     * On the thread that asks.
     *
     * @param method "acquire", "complete", "release", "renew", "peek", ...
     * @return what is given back to callEnded: the current span, say
     */
    default Object callStarted(String method) {
        return null;
    }

    /**
     * Once for each call: on the thread that asked, or for an async call on
     * the store's own.
     */
    void callEnded(Object started, CallEvent event);
}
