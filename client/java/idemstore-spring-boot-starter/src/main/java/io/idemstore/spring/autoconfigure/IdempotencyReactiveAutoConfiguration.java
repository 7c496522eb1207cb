// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.spring.IdempotencyProperties;
import io.idemstore.spring.ReactivePrincipal;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.Rules;
import io.idemstore.spring.core.StoreExecutor;
import io.idemstore.spring.core.Unavailable;
import io.idemstore.spring.web.IdempotencyHttpHandler;
import io.idemstore.spring.web.IdempotencyWebFilter;
import io.idemstore.spring.web.ReactiveRefusals;
import io.idemstore.spring.web.WebPolicy;
import java.security.Principal;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Role;
import org.springframework.web.reactive.DispatcherHandler;
import reactor.core.scheduler.Schedulers;

/** The filter of a WebFlux application, and what sees its answers leave. */
@AutoConfiguration(after = IdempotencyAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
@ConditionalOnClass(DispatcherHandler.class)
@ConditionalOnBean(Claims.class)
public class IdempotencyReactiveAutoConfiguration {

    /** What comes after an answer of the store must not wait, and does not. */
    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static StoreExecutor idempotencyStoreExecutor() {
        return new StoreExecutor(
                work -> Schedulers.parallel().schedule(work));
    }

    @Bean
    IdempotencyWebFilter idempotencyWebFilter(Claims claims, Rules rules,
            IdempotencyProperties properties, Unavailable unavailable,
            ObjectProvider<ReactivePrincipal> principal) {
        ReactivePrincipal said = principal.getIfAvailable();
        WebPolicy policy = new WebPolicy(properties, said != null);
        if (!properties.getHttp().getPaths().isEmpty()) {
            policy.checkPrincipal();
        }
        return new IdempotencyWebFilter(claims, policy, rules,
                said != null ? said : exchange -> exchange.getPrincipal()
                        .map(Principal::getName), unavailable,
                properties.getHttp().getFilterOrder());
    }

    @Bean
    IdempotencyHttpHandler idempotencyHttpHandler(
            IdempotencyWebFilter filter) {
        return new IdempotencyHttpHandler(filter);
    }

    @Bean
    ReactiveRefusals idempotencyRefusals() {
        return new ReactiveRefusals();
    }
}
