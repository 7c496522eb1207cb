// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/**
 * The lease began anew.
 *
 * @param leaseMs what was granted, at most the record's retention
 */
public record Renewed(long leaseMs) implements RenewAnswer {

    @Override
    public String outcome() {
        return "renewed";
    }
}
