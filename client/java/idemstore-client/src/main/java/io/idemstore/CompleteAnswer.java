// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What a complete is answered. */
public sealed interface CompleteAnswer extends Answer
        permits Completed, Stale, NoRecord {
}
