// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.time.Duration;

/** Arguments' bounds. */
final class Check {
    private Check() {
    }

    static long ms(Duration value, String what, long least, long most) {
        long ms;
        try {
            ms = value.toMillis();
        } catch (ArithmeticException tooLong) {
            ms = Long.MAX_VALUE;
        }
        if (ms < least || ms > most) {
            throw IdemException.argument(what + " is " + least + " to " + most
                    + " ms, not " + value);
        }
        return ms;
    }
}
