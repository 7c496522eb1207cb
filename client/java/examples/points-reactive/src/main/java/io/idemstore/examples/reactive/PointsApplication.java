// SPDX-License-Identifier: Apache-2.0
package io.idemstore.examples.reactive;

import io.idemstore.spring.ReactivePrincipal;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import reactor.core.publisher.Mono;

/** Points are taken for a match, once per click. */
@SpringBootApplication
public class PointsApplication {
    public static void main(String[] args) {
        SpringApplication.run(PointsApplication.class, args);
    }

    /** Whoever is in front authenticates, and says who it is. */
    @Bean
    @ConditionalOnProperty("points.users")
    ReactivePrincipal userOfHeader() {
        return exchange -> Mono.justOrEmpty(exchange.getRequest().getHeaders()
                .getFirst("X-User"));
    }
}
