// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.aop;

import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.Settlement;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A transaction that was there before the method: its end settles the claim.
 * Loaded only where spring-tx is there.
 */
final class EnclosingTransaction {
    private EnclosingTransaction() {
    }

    static boolean isActive() {
        return TransactionSynchronizationManager.isActualTransactionActive()
                && TransactionSynchronizationManager.isSynchronizationActive();
    }

    /** Whether the commit's outcome is known decides between the three. */
    static void settleAtEnd(Held held, Settlement committed,
            Settlement rolledBack, Settlement unknown) {
        TransactionSynchronizationManager.registerSynchronization(
                new TransactionSynchronization() {
                    @Override
                    public void afterCompletion(int status) {
                        held.settle(switch (status) {
                            case STATUS_COMMITTED -> committed;
                            case STATUS_ROLLED_BACK -> rolledBack;
                            default -> unknown;
                        });
                    }
                });
    }
}
