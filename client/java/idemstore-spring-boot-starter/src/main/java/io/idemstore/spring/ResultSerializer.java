// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import java.lang.reflect.Type;

/**
 * How what a method returns is stored. A bean that is primary replaces the one
 * with Jackson; others are named by {@link Idempotent#serializer}.
 */
public interface ResultSerializer {

    /** @param value may be null */
    byte[] write(Object value, Type type) throws Exception;

    /** What write made, perhaps in another process, of another version. */
    Object read(byte[] stored, Type type) throws Exception;
}
