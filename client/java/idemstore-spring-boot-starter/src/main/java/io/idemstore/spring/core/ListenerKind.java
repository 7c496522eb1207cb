// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedElement;
import java.util.List;
import org.springframework.core.annotation.MergedAnnotations;
import org.springframework.core.annotation.MergedAnnotations.SearchStrategy;

/** Which broker's listener a method is. */
public enum ListenerKind {
    NONE(), KAFKA("org.springframework.kafka.annotation.KafkaListener",
            "org.springframework.kafka.annotation.KafkaHandler"),
    RABBIT("org.springframework.amqp.rabbit.annotation.RabbitListener",
            "org.springframework.amqp.rabbit.annotation.RabbitHandler"),
    JMS("org.springframework.jms.annotation.JmsListener");

    private final List<String> annotations;

    ListenerKind(String... annotations) {
        this.annotations = List.of(annotations);
    }

    static ListenerKind of(AnnotatedElement method) {
        MergedAnnotations all = MergedAnnotations.from(method,
                SearchStrategy.TYPE_HIERARCHY);
        for (ListenerKind kind : values()) {
            for (String name : kind.annotations) {
                if (all.stream().map(one -> one.getType())
                        .map(Class<? extends Annotation>::getName)
                        .anyMatch(name::equals)) {
                    return kind;
                }
            }
        }
        return NONE;
    }
}
