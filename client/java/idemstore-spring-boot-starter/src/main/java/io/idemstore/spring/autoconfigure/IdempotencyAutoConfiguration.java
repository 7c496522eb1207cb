// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.IdemListener;
import io.idemstore.IdemStore;
import io.idemstore.IdemStoreOptions;
import io.idemstore.InMemoryIdemStore;
import io.idemstore.spring.IdempotencyCounts;
import io.idemstore.spring.IdempotencyProperties;
import io.idemstore.spring.ReactivePrincipal;
import io.idemstore.spring.ResultSerializer;
import io.idemstore.spring.aop.IdempotentAdvisor;
import io.idemstore.spring.aop.IdempotentInterceptor;
import io.idemstore.spring.core.Claims;
import io.idemstore.spring.core.ExchangeSource;
import io.idemstore.spring.core.Rules;
import io.idemstore.spring.core.StoreExecutor;
import io.idemstore.spring.core.Unavailable;
import io.idemstore.spring.web.WebPolicy;
import java.util.List;
import org.springframework.aop.config.AopConfigUtils;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.beans.factory.support.BeanDefinitionRegistry;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.ImportBeanDefinitionRegistrar;
import org.springframework.context.annotation.Role;
import org.springframework.core.type.AnnotationMetadata;
import org.springframework.util.ClassUtils;

/** The store, and the aspect around what @Idempotent covers. */
@AutoConfiguration
@ConditionalOnProperty(prefix = "idemstore", name = "enabled",
        matchIfMissing = true)
@EnableConfigurationProperties(IdempotencyProperties.class)
@Import(IdempotencyAutoConfiguration.Proxies.class)
public class IdempotencyAutoConfiguration {

    /** One bean of type IdemListener hears of each call. */
    @Bean(destroyMethod = "close")
    @ConditionalOnMissingBean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static IdemStore idemStore(IdempotencyProperties properties,
            ObjectProvider<IdemListener> listener,
            ObjectProvider<StoreExecutor> executor) {
        if (properties.isInMemory()) {
            return new InMemoryIdemStore();
        }
        IdemStoreOptions.Builder builder =
                IdemStoreOptions.builder(properties.getUri());
        listener.ifUnique(builder::listener);
        executor.ifAvailable(one -> builder.executor(one.executor()));
        return IdemStore.open(builder.build());
    }

    @Bean
    @ConditionalOnMissingBean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static IdempotencyCounts idempotencyCounts() {
        return new IdempotencyCounts();
    }

    @Bean(Rules.SERIALIZER)
    @ConditionalOnMissingBean(name = Rules.SERIALIZER)
    static ResultSerializer idempotencyResultSerializer(
            ListableBeanFactory beans) {
        return Serializers.made(beans);
    }

    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static Claims idempotencyClaims(IdemStore store,
            IdempotencyCounts counts) {
        return new Claims(store, counts);
    }

    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static Unavailable idempotencyUnavailable(
            IdempotencyProperties properties, IdempotencyCounts counts) {
        return new Unavailable(properties, counts);
    }

    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static Rules idempotencyRules(IdempotencyProperties properties,
            ListableBeanFactory beans) {
        return new Rules(properties, beans,
                beans.containsBean("idempotencyWebFilter"),
                () -> new WebPolicy(properties, hasPrincipal(beans))
                        .checkPrincipal());
    }

    private static boolean hasPrincipal(ListableBeanFactory beans) {
        for (String type : List.of("ServletPrincipal", "ReactivePrincipal")) {
            String name = ReactivePrincipal.class.getPackageName() + "."
                    + type;
            try {
                if (beans.getBeanNamesForType(ClassUtils.forName(name, null),
                        true, false).length > 0) {
                    return true;
                }
            } catch (ClassNotFoundException | LinkageError none) {
                continue; // no servlets, or no reactor
            }
        }
        return false;
    }

    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static IdempotentAdvisor idempotentAdvisor(Claims claims, Rules rules,
            IdempotencyProperties properties,
            ObjectProvider<ExchangeSource> exchanges) {
        return new IdempotentAdvisor(new IdempotentInterceptor(claims, rules,
                properties, () -> {
                    ExchangeSource source = exchanges.getIfAvailable();
                    return source == null ? null : source.get();
                }), rules, properties.getOrder(),
                !properties.getHttp().getPaths().isEmpty());
    }

    /** Proxies for infrastructure advisors, of classes as Boot has it. */
    static final class Proxies implements ImportBeanDefinitionRegistrar {
        @Override
        public void registerBeanDefinitions(AnnotationMetadata importing,
                BeanDefinitionRegistry registry) {
            AopConfigUtils.registerAutoProxyCreatorIfNecessary(registry);
            AopConfigUtils.forceAutoProxyCreatorToUseClassProxying(registry);
        }
    }
}
