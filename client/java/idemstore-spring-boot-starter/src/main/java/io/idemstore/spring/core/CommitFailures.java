// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import java.util.Set;

/**
 * Whether an exception came out of a commit, or of a transaction that ran out
 * of time: then what has happened is not known. spring-tx need not be there.
 */
public final class CommitFailures {
    private static final String TX = "org.springframework.transaction.";
    private static final Set<String> TYPES = Set.of(
            TX + "TransactionSystemException",
            TX + "UnexpectedRollbackException",
            TX + "HeuristicCompletionException",
            TX + "TransactionTimedOutException");
    private static final Set<String> COMMITS = Set.of("processCommit",
            "commitTransactionAfterReturning");

    private CommitFailures() {
    }

    public static boolean is(Throwable why) {
        int depth = 0;
        for (Throwable at = why; at != null && depth < 32;
                at = at.getCause(), depth++) {
            if (isType(at.getClass()) || isFromCommit(at)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isType(Class<?> type) {
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            if (TYPES.contains(at.getName())) {
                return true;
            }
        }
        return false;
    }

    private static boolean isFromCommit(Throwable why) {
        for (StackTraceElement frame : why.getStackTrace()) {
            if (COMMITS.contains(frame.getMethodName())
                    && frame.getClassName().startsWith(TX)) {
                return true;
            }
        }
        return false;
    }
}
