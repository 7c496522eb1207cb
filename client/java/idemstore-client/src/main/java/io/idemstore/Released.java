// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** It may be claimed again. */
public record Released() implements ReleaseAnswer {

    @Override
    public String outcome() {
        return "released";
    }
}
