// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.Type;

/** JSON by Jackson 2, as Spring Boot 3 has it. */
public final class Jackson2Serializer implements ResultSerializer {
    private final ObjectMapper mapper;

    public Jackson2Serializer(ObjectMapper mapper) {
        this.mapper = mapper;
    }

    @Override
    public byte[] write(Object value, Type type) throws Exception {
        return mapper.writerFor(mapper.constructType(type))
                .writeValueAsBytes(value);
    }

    @Override
    public Object read(byte[] stored, Type type) throws Exception {
        return mapper.readValue(stored, mapper.constructType(type));
    }
}
