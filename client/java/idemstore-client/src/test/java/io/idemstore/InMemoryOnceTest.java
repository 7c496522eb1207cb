// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** In memory. */
class InMemoryOnceTest extends OnceStories {
    @Override
    IdemStore open() {
        return new InMemoryIdemStore();
    }
}
