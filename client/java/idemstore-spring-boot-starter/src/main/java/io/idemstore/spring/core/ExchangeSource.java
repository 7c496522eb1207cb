// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.util.function.Supplier;

/** This thread's web request, or null. */
@FunctionalInterface
public interface ExchangeSource extends Supplier<Exchange> {
}
