// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** Against a real daemon. */
class DaemonOnceTest extends OnceStories {
    @Override
    IdemStore open() {
        return IdemStore.open(Servers.shared().uri(Servers.namespace())
                + "?timeout_ms=60000");
    }
}
