// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.spring.IdempotencyProperties;
import io.idemstore.spring.ServletPrincipal;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.ExchangeSource;
import io.idemstore.spring.core.Rules;
import io.idemstore.spring.core.Unavailable;
import io.idemstore.spring.web.IdempotencyFilter;
import io.idemstore.spring.web.MvcWatch;
import io.idemstore.spring.web.WebPolicy;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import java.security.Principal;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.ServletListenerRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Role;
import org.springframework.web.servlet.DispatcherServlet;
import org.springframework.web.servlet.config.annotation.InterceptorRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** The filter of a servlet application, and what Spring MVC tells it. */
@AutoConfiguration(after = IdempotencyAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnClass({Filter.class, DispatcherServlet.class})
@ConditionalOnBean(Claims.class)
public class IdempotencyServletAutoConfiguration {

    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static ExchangeSource idempotencyExchangeSource() {
        return IdempotencyFilter::current;
    }

    @Bean
    @ConditionalOnMissingBean
    IdempotencyFilter idempotencyFilter(Claims claims,
            IdempotencyProperties properties, Unavailable unavailable,
            ObjectProvider<ServletPrincipal> principal) {
        ServletPrincipal said = principal.getIfAvailable();
        WebPolicy policy = new WebPolicy(properties, said != null);
        if (!properties.getHttp().getPaths().isEmpty()) {
            policy.checkPrincipal();
        }
        return new IdempotencyFilter(claims, policy, said != null ? said
                : request -> {
                    Principal user = request.getUserPrincipal();
                    return user == null ? null : user.getName();
                }, unavailable);
    }

    /** Also around asynchronous dispatches, forwards and error pages. */
    @Bean
    FilterRegistrationBean<IdempotencyFilter> idempotencyFilterRegistration(
            IdempotencyFilter filter, IdempotencyProperties properties) {
        FilterRegistrationBean<IdempotencyFilter> made =
                new FilterRegistrationBean<>(filter);
        made.setOrder(properties.getHttp().getFilterOrder());
        made.setDispatcherTypes(DispatcherType.REQUEST, DispatcherType.ASYNC,
                DispatcherType.FORWARD, DispatcherType.ERROR);
        made.setAsyncSupported(true);
        return made;
    }

    @Bean
    ServletListenerRegistrationBean<IdempotencyFilter>
            idempotencyRequestListener(IdempotencyFilter filter) {
        return new ServletListenerRegistrationBean<>(filter);
    }

    @Bean
    MvcWatch idempotencyMvcWatch(Rules rules,
            IdempotencyProperties properties) {
        return new MvcWatch(rules,
                !properties.getHttp().getPaths().isEmpty());
    }

    @Bean
    WebMvcConfigurer idempotencyMvcConfigurer(MvcWatch watch) {
        return new WebMvcConfigurer() {
            @Override
            public void addInterceptors(InterceptorRegistry registry) {
                registry.addInterceptor(watch).order(watch.getOrder());
            }
        };
    }
}
