// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import io.idemstore.OnOrphan;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * This method runs once per key, on whichever machine. A duplicate gets what
 * the first call returned; one that comes while the first is at work, or under
 * another request's key, does not run.
 *
 * <p>On a controller's handler the key is the request's header, and a duplicate
 * hears the first one's answer, as docs/http.md has it. On a service it is an
 * expression over the arguments, and a duplicate gets the value. On a listener
 * of Kafka, Rabbit or JMS a duplicate is acknowledged.
 *
 * <p>It works outside of every transaction, so that a claim is completed after
 * the commit, and inside of method security, so that a stranger gets no replay.
 * Within the method {@link io.idemstore.Claim#current} has the fencing token.
 */
@Target({ElementType.METHOD, ElementType.TYPE})
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@Documented
public @interface Idempotent {

    /**
     * SpEL over the arguments: {@code "#order.id"}. Empty: the request's
     * header. It makes 1 to 255 characters, or there is no key.
     */
    String key() default "";

    /**
     * SpEL for what the call asks for; another one under the same key is a
     * mismatch. Empty: of a request its method, target, content type and body;
     * else nothing is compared.
     */
    String fingerprint() default "";

    /**
     * Seconds. 0: a duplicate gets the first one's answer, for the retention.
     * Above: it is refused (409) until so long after the first one's start or
     * until its end, whichever is later, and nothing is replayed.
     */
    int expireTime() default 0;

    /**
     * Whether the claim is kept for as long as the method runs. False, with
     * expireTime: the key is new after those seconds, whatever became of it.
     */
    boolean renew() default true;

    /** "30s". Empty: idemstore.lease. */
    String lease() default "";

    /** "24h". Empty: idemstore.retention. */
    String retention() default "";

    /** How long a duplicate waits for the first one's end. Empty: not. */
    String waitFor() default "";

    /** What an exception, or an answer of 5xx, does to the claim. */
    Failure onFailure() default Failure.DEFAULT;

    /** Exceptions that say that nothing has happened: it may run again. */
    Class<? extends Throwable>[] nothingDone() default {};

    /** What to do when an earlier caller's lease ended without a word. */
    OnOrphan onOrphan() default OnOrphan.TAKEOVER;

    /** To whom the key belongs. */
    Scope scope() default Scope.DEFAULT;

    /** A bean of that type writes and reads results. Itself: Jackson. */
    Class<? extends ResultSerializer> serializer()
            default ResultSerializer.class;
}
