// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What runs under a claim. */
@FunctionalInterface
public interface Work<T, E extends Exception> {
    T run() throws E;
}
