// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.autoconfigure;

import io.idemstore.spring.Jackson2Serializer;
import io.idemstore.spring.Jackson3Serializer;
import io.idemstore.spring.ResultSerializer;
import java.lang.reflect.Type;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.util.ClassUtils;

/** The application's own Jackson: 3 or 2, whichever it has a mapper of. */
final class Serializers {
    private static final ClassLoader LOADER =
            Serializers.class.getClassLoader();
    private static final boolean HAS_3 = ClassUtils.isPresent(
            "tools.jackson.databind.ObjectMapper", LOADER);
    private static final boolean HAS_2 = ClassUtils.isPresent(
            "com.fasterxml.jackson.databind.ObjectMapper", LOADER);

    private Serializers() {
    }

    static ResultSerializer made(ListableBeanFactory beans) {
        ResultSerializer made = HAS_3 ? Three.of(beans) : null;
        if (made == null && HAS_2) {
            made = Two.of(beans);
        }
        if (made == null) {
            made = HAS_3 ? Three.plain() : HAS_2 ? Two.plain() : new None();
        }
        return made;
    }

    private static final class Three {
        private Three() {
        }

        static ResultSerializer of(ListableBeanFactory beans) {
            tools.jackson.databind.ObjectMapper mapper = beans
                    .getBeanProvider(
                            tools.jackson.databind.ObjectMapper.class)
                    .getIfUnique();
            return mapper == null ? null : new Jackson3Serializer(mapper);
        }

        static ResultSerializer plain() {
            return new Jackson3Serializer(
                    new tools.jackson.databind.json.JsonMapper());
        }
    }

    private static final class Two {
        private Two() {
        }

        static ResultSerializer of(ListableBeanFactory beans) {
            com.fasterxml.jackson.databind.ObjectMapper mapper = beans
                    .getBeanProvider(
                            com.fasterxml.jackson.databind.ObjectMapper.class)
                    .getIfUnique();
            return mapper == null ? null : new Jackson2Serializer(mapper);
        }

        static ResultSerializer plain() {
            return new Jackson2Serializer(
                    new com.fasterxml.jackson.databind.ObjectMapper()
                            .findAndRegisterModules());
        }
    }

    /** Of methods that return something there is no replay then. */
    private static final class None implements ResultSerializer {
        @Override
        public byte[] write(Object value, Type type) {
            throw new IllegalStateException("there is no Jackson: make a "
                    + "bean of type ResultSerializer");
        }

        @Override
        public Object read(byte[] stored, Type type) {
            throw new IllegalStateException("there is no Jackson: make a "
                    + "bean of type ResultSerializer");
        }
    }
}
