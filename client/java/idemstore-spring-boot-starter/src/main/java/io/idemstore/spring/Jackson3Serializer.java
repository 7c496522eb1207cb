// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import java.lang.reflect.Type;
import tools.jackson.databind.ObjectMapper;

/** JSON by Jackson 3, as Spring Boot 4 has it. */
public final class Jackson3Serializer implements ResultSerializer {
    private final ObjectMapper mapper;

    public Jackson3Serializer(ObjectMapper mapper) {
        this.mapper = mapper;
    }

    @Override
    public byte[] write(Object value, Type type) {
        return mapper.writerFor(mapper.constructType(type))
                .writeValueAsBytes(value);
    }

    @Override
    public Object read(byte[] stored, Type type) {
        return mapper.readValue(stored, mapper.constructType(type));
    }
}
