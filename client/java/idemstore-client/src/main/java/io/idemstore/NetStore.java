// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.concurrent.CompletableFuture;

final class NetStore extends StoreCalls {
    NetStore(IdemStoreOptions options) {
        super("", options.listener());
    }

    @Override
    Object ask(Call call) {
        throw new UnsupportedOperationException();
    }

    @Override
    CompletableFuture<Object> askLater(Call call) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int resultBytesMax() {
        return 1 << 20;
    }

    @Override
    public StoreStatus status() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
    }
}
