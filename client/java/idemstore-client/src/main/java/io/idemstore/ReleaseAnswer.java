// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What a release is answered. */
public sealed interface ReleaseAnswer extends Answer
        permits Released, Stale, NoRecord {
}
