// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.test;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.context.annotation.Import;

/**
 * In a test: idemstore over a store in memory, also in a slice such as
 * @WebMvcTest, which has no auto-configurations of others. The store is a bean
 * of type {@link io.idemstore.InMemoryIdemStore}.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@Documented
@ImportAutoConfiguration
@Import(InMemoryStore.class)
public @interface AutoConfigureIdempotency {
}
