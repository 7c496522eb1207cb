// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

/** What a failure does to the claim. */
public enum Failure {
    /** STORE where there is an HTTP answer, RELEASE in a listener, or LEAVE. */
    DEFAULT,
    /** It is what duplicates get: its effect may have happened. */
    STORE,
    /** It may run again at once: a failure means that nothing happened. */
    RELEASE,
    /** After its lease it may run again, told that it is the second try. */
    LEAVE
}
