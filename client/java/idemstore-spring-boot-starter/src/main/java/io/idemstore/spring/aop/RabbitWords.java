// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import org.springframework.amqp.AmqpRejectAndDontRequeueException;
import org.springframework.amqp.ImmediateRequeueAmqpException;

/** Loaded only where spring-amqp is there. */
final class RabbitWords {
    private RabbitWords() {
    }

    static RuntimeException again(RuntimeException why) {
        return new ImmediateRequeueAmqpException(why.getMessage(), why);
    }

    static RuntimeException dead(RuntimeException why) {
        return new AmqpRejectAndDontRequeueException(why.getMessage(), why);
    }
}
