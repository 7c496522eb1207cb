// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

/** To whom a key belongs. */
public enum Scope {
    /** As idemstore.scope says. */
    DEFAULT,
    /**
     * A request's key belongs to its method, path and principal; any other one
     * to the annotated method. The key in the store is the key, "@", and 22
     * characters.
     */
    OWN,
    /** The key is the key, whoever uses it where. */
    NONE
}
