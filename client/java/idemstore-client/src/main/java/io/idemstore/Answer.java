// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * What the store answers. An outcome is no error: "someone else holds it" is
 * an answer. All times are milliseconds.
 */
public sealed interface Answer
        permits AcquireAnswer, CompleteAnswer, ReleaseAnswer, RenewAnswer {

    /** The word that stands for it on the wire: "acquired", "replay", ... */
    String outcome();
}
