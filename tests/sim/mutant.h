/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h -- a shard with a fault in it, to show that the comparison sees
 * faults.
 *
 * Each one stands between the world and the shard: it changes what goes in,
 * what comes out, or leaves a call out. */
#ifndef IDT_MUTANT_H
#define IDT_MUTANT_H

#include "server/core/shard.h"

#define MUTANTS(X)                                                             \
    X(NONE, "none")                                                            \
    X(GRANTS_TWICE, "grants-twice") /* in_progress says acquired */            \
    X(IGNORES_FINGERPRINT, "ignores-fingerprint")                              \
    X(IGNORES_NONCE, "ignores-nonce")                                          \
    X(IGNORES_ON_ORPHAN, "ignores-on-orphan")                                  \
    X(IGNORES_CLASS, "ignores-class")                                          \
    X(IGNORES_UNBIND, "ignores-unbind")                                        \
    X(IGNORES_WAIT, "ignores-wait")                                            \
    X(IGNORES_COMPLETE_TTL, "ignores-complete-ttl")                            \
    X(FORGETS_TO_FORGET, "forgets-to-forget")                                  \
    X(FORGETS_A_COMPLETE, "forgets-a-complete") /* says it, does it not */     \
    X(ACCEPTS_STALE, "accepts-stale")           /* a stale renew is renewed */ \
    X(LEASE_TOO_LONG, "lease-too-long") /* by one: not half-open any more */   \
    X(TTL_TOO_LONG, "ttl-too-long")                                            \
    X(RESULT_CUT, "result-cut")                                                \
    X(ATTEMPT_STUCK, "attempt-stuck")                                          \
    X(TOKEN_SHRINKS, "token-shrinks")                                          \
    X(WAKES_BACKWARDS, "wakes-backwards")                                      \
    X(WAKE_LOST, "wake-lost")                                                  \
    X(SLEEPS_TOO_LONG, "sleeps-too-long") /* next_ms is past a deadline */     \
    X(CHANGE_LOST, "change-lost")                                              \
    X(LEAKS, "leaks")                                                          \
    X(EXPIRY_KEEPS_COUNT,                                                      \
      "expiry-keeps-count")         /* expiry gives nothing back */            \
    X(ONE_TOO_MANY, "one-too-many") /* records in a namespace */               \
    X(RESULTS_UNCOUNTED, "results-uncounted")                                  \
    X(COMPLETES_UNCOUNTED, "completes-uncounted") /* they stay in progress */  \
    X(RATE_TOO_HIGH, "rate-too-high")             /* a burst of one more */    \
    X(RESULT_TOO_LARGE, "result-too-large")       /* max_result, by one */     \
    X(NO_TAKEOVER,                                                             \
      "no-takeover") /* resolve ends it with the holder's token */             \
    X(RESOLVES_ANEW, "resolves-anew")   /* the same nonce, decided anew */     \
    X(COMPLETES_OVER, "completes-over") /* resolve, over a completed record */ \
    X(NEEDS_NO_FORCE, "needs-no-force") /* resolve, of a lease that runs */

typedef enum mutant {
#define X(name, text) MUTANT_##name,
    MUTANTS(X)
#undef X
        MUTANT_COUNT
} mutant;

extern const char *const mutant_names[MUTANT_COUNT];

ids_verdict mutant_call(mutant m, ids_shard *shard, const ids_call *call,
                        idp_answer *answer, idp_error *error);
/* A resolve's request, spoiled; before the shard is called. */
void mutant_decision(mutant m, ids_shard *shard, const ids_call *call,
                     idp_request *request);
void mutant_forget(mutant m, ids_shard *shard, ids_asker asker);
uint64_t mutant_next_ms(mutant m, const ids_shard *shard);

#endif
