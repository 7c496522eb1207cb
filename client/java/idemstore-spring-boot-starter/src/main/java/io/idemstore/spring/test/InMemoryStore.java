// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.test;

import io.idemstore.InMemoryIdemStore;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The double. */
@Configuration(proxyBeanMethods = false)
class InMemoryStore {
    @Bean(destroyMethod = "close")
    InMemoryIdemStore idemStore() {
        return new InMemoryIdemStore();
    }
}
