// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.AcquireOptions;
import io.idemstore.spring.Idempotent;
import io.idemstore.spring.ResultSerializer;
import io.idemstore.spring.Scope;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.util.function.Supplier;

/**
 * What a rule is made of.
 *
 * @param key null: the request's header
 * @param fingerprint null: the request's, or none
 * @param valueType what is stored and read
 */
record RuleParts(Method method, Class<?> owner, Idempotent said,
        Expressions key, Expressions fingerprint, ReturnKind kind,
        Type valueType, boolean isHandler, ListenerKind listener, Scope scope,
        AcquireOptions acquire, Supplier<ResultSerializer> serializer) {
}
