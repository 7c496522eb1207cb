// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.lang.reflect.Method;

/** A call, as expressions see it. */
public record Invoked(Object target, Method method, Object[] args) {
}
