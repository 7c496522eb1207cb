// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.ErrorCode;
import io.idemstore.HttpAnswer;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.InProgress;
import io.idemstore.Mismatch;
import io.idemstore.NotRunException;
import io.idemstore.Orphaned;
import io.idemstore.spring.core.Refusal;

/** What a request is told where a method did not run. */
final class Refusals {
    private Refusals() {
    }

    /** Of what the aspect throws; null: it is somebody else's. */
    static HttpAnswer answerOf(Throwable why) {
        if (why instanceof Refusal refusal) {
            return refusal.answer();
        }
        if (why instanceof NotRunException not) {
            return not.answer() instanceof InProgress
                    || not.answer() instanceof Mismatch
                    || not.answer() instanceof Orphaned
                    ? HttpProblem.of(not.answer()) : null;
        }
        return why instanceof IdemException error
                && error.code() != ErrorCode.ARGUMENT
                ? HttpProblem.of(error) : null;
    }
}
