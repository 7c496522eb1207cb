// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.Map;

/** What acquireAll is answered. */
public sealed interface AllAnswer {

    /**
     * Each key with its claim.
     *
     * @param claims in the keys' order
     */
    record All(Map<Key, Acquired> claims) implements AllAnswer {
    }

    /**
     * None is held: what was claimed before this key was released.
     *
     * @param key the one that was not to be had
     * @param answer why
     */
    record NotAll(Key key, AcquireAnswer answer) implements AllAnswer {
    }
}
