// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

/** The web request that is at work on this thread, as the aspect needs it. */
public interface Exchange {

    /**
     * The request, its body read.
     *
     * @throws Refusal it is to be answered so, and its handler does not run
     */
    HttpAsk ask(Rule rule);

    /** Its handler has begun, whatever is claimed. */
    void began();

    /** The claim that is held for its answer, or null. */
    Held held();

    default boolean isHeld() {
        return held() != null;
    }

    /** Its answer settles the claim. */
    void hold(Held held, Rule rule);

    /** How its handler failed. */
    void failed(Throwable why);
}
