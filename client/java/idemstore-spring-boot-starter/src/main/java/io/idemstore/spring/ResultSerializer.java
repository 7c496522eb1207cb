// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import java.lang.reflect.Type;

/** How what a method returns is stored. One bean of it replaces Jackson's. */
public interface ResultSerializer {

    /** @param value may be null */
    byte[] write(Object value, Type type) throws Exception;

    /** What write made, perhaps in another process, of another version. */
    Object read(byte[] stored, Type type) throws Exception;
}
