// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.util.concurrent.Executor;

/**
 * Where the answers of asynchronous calls go on.
 *
 * @param executor whose threads never wait
 */
public record StoreExecutor(Executor executor) {
}
