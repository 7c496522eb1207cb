// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** There is no such record (any more): nothing changed. */
public record NoRecord()
        implements CompleteAnswer, ReleaseAnswer, RenewAnswer {

    @Override
    public String outcome() {
        return "unknown";
    }
}
