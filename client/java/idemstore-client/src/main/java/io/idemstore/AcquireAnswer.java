// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What an acquire is answered: exactly one of these five. */
public sealed interface AcquireAnswer extends Answer
        permits Acquired, Replay, InProgress, Mismatch, Orphaned {
}
