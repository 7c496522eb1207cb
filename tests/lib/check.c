/* SPDX-License-Identifier: Apache-2.0 */
/* check.c -- see check.h. */
#include "tests/lib/check.h"

#include <string.h>

void idt_check_init(idt_check *check) {
    memset(check, 0, sizeof *check);
}

static bool same_token(idp_token a, idp_token b) {
    return a.epoch == b.epoch && a.sequence == b.sequence;
}

static bool token_above(idp_token a, idp_token b) {
    return a.epoch > b.epoch || (a.epoch == b.epoch && a.sequence > b.sequence);
}

static bool same_given(const uint8_t *a, size_t a_len, idp_slice b) {
    return a_len > 0 && a_len == b.len && memcmp(a, b.ptr, a_len) == 0;
}

static uint64_t hash_of(idp_slice bytes) {
    uint64_t hash = 0xcbf29ce484222325u ^ bytes.len;
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.ptr[i]) * 0x100000001b3u;
    }
    return hash;
}

static size_t keep(uint8_t *to, idp_slice from) {
    if (from.len > 0) {
        memcpy(to, from.ptr, from.len);
    }
    return from.len;
}

/* The record is gone; that its tokens were given out is not. */
static void let_go(idt_check_key *k) {
    k->held = IDT_HELD_NONE;
    k->fingerprint_len = 0;
    k->nonce_len = 0;
}

static void restart(idt_check_key *k, uint64_t now, uint64_t ttl_ms) {
    k->ttl_ms = ttl_ms;
    k->ttl_end = now + ttl_ms;
}

static bool differs(const idt_check_key *k, const idp_request *q) {
    return k->held != IDT_HELD_NONE && k->fingerprint_len > 0 &&
           q->fingerprint.len > 0 &&
           !same_given(k->fingerprint, k->fingerprint_len, q->fingerprint);
}

/* --- acquire ----------------------------------------------------------- */

static const char *granted_anew(idt_check_key *k, uint64_t now,
                                const idp_request *q, const idp_answer *a) {
    if (k->held == IDT_HELD_COMPLETED) {
        return "I2: a completed key was granted again";
    }
    if (k->held == IDT_HELD_CLAIMED && now < k->lease_end) {
        return "I1: a second holder while the first one's lease runs";
    }
    if (k->any_token && !token_above(a->token, k->newest)) {
        return "I4: a token that did not grow";
    }
    uint32_t before = k->held == IDT_HELD_NONE ? 0 : k->attempt;
    if (a->attempt != before + 1) {
        return "I1: attempts that do not count the grants";
    }
    k->newest = a->token;
    k->any_token = true;
    if (k->held == IDT_HELD_NONE || k->fingerprint_len == 0) {
        k->fingerprint_len = keep(k->fingerprint, q->fingerprint);
    }
    k->nonce_len = keep(k->nonce, q->nonce);
    return NULL;
}

static const char *acquired(idt_check_key *k, uint64_t now,
                            const idp_request *q, const idp_answer *a) {
    if (differs(k, q)) {
        return "I6: a grant in spite of another fingerprint";
    }
    bool retry = k->held == IDT_HELD_CLAIMED &&
                 same_given(k->nonce, k->nonce_len, q->nonce);
    if (retry &&
        (!same_token(a->token, k->token) || a->attempt != k->attempt)) {
        return "I5: the same nonce, another token";
    }
    if (!retry) {
        const char *broken = granted_anew(k, now, q, a);
        if (broken) {
            return broken;
        }
    }
    k->held = IDT_HELD_CLAIMED;
    k->taken_over = false;
    k->token = a->token;
    k->attempt = a->attempt;
    k->lease_end = now + a->lease_ms;
    restart(k, now, q->ttl_ms);
    return NULL;
}

static const char *replayed(const idt_check_key *k, const idp_request *q,
                            const idp_answer *a) {
    if (differs(k, q)) {
        return "I6: a replay in spite of another fingerprint";
    }
    if (k->held != IDT_HELD_COMPLETED) {
        return "I3: a replay that no complete came before";
    }
    if (a->has_result != k->kept || a->class != k->class ||
        (k->kept && hash_of(a->result) != k->result_hash)) {
        return "I3: a replay of something else";
    }
    return NULL;
}

/* --- complete, release, renew ------------------------------------------ */

static bool is_current(const idt_check_key *k, const idp_request *q) {
    return k->held != IDT_HELD_NONE &&
           (k->taken_over ? token_above(q->token, k->newest)
                          : same_token(k->token, q->token));
}

static const char *completed(idt_check_key *k, uint64_t now,
                             const idp_request *q, const idp_answer *a) {
    if (!is_current(k, q)) {
        return k->held == IDT_HELD_COMPLETED
                   ? "I1: two different grants completed"
                   : "I4: a stale token completed";
    }
    if (k->held == IDT_HELD_COMPLETED) {
        return a->kept == k->kept ? NULL : "I5: a retry changed the result";
    }
    if (k->held != IDT_HELD_CLAIMED) {
        return "I4: a token that was given up completed";
    }
    if (a->kept && !q->result.ptr) {
        return "I3: a result was kept that was never sent";
    }
    k->held = IDT_HELD_COMPLETED;
    k->kept = a->kept;
    k->class = q->class;
    k->result_hash = a->kept ? hash_of(q->result) : 0;
    restart(k, now, a->ttl_ms ? a->ttl_ms : q->ttl_ms ? q->ttl_ms : k->ttl_ms);
    return NULL;
}

static const char *released(idt_check_key *k, uint64_t now,
                            const idp_request *q) {
    if (!is_current(k, q) || k->held == IDT_HELD_COMPLETED) {
        return "I4: a stale token released";
    }
    if (k->held == IDT_HELD_RELEASED) {
        return NULL;
    }
    if (q->unbind) {
        let_go(k);
        return NULL;
    }
    k->held = IDT_HELD_RELEASED;
    restart(k, now, k->ttl_ms);
    return NULL;
}

static const char *renewed(idt_check_key *k, uint64_t now, const idp_request *q,
                           const idp_answer *a) {
    if (!is_current(k, q) || k->held != IDT_HELD_CLAIMED) {
        return "I4: a stale token renewed";
    }
    k->lease_end = now + a->lease_ms;
    restart(k, now, k->ttl_ms);
    return NULL;
}

static const char *refused(const idt_check_key *k, const idp_request *q) {
    if (is_current(k, q) && k->held == IDT_HELD_CLAIMED) {
        return "I4: the current token was refused";
    }
    return NULL;
}

/* --- resolve ----------------------------------------------------------- */

/* The place of the nonce among the answers that are kept; -1: none. */
static int resolved_before(const idt_check_key *k, uint64_t now,
                           idp_slice nonce) {
    for (int i = 0; i < IDS_RECEIPT_ANSWERS && now < k->resolved_end; i++) {
        if (same_given(k->resolved[i], k->resolved_len[i], nonce)) {
            return i;
        }
    }
    return -1;
}

static void note_resolved(idt_check_key *k, uint64_t now, idp_slice nonce,
                          idp_outcome outcome) {
    if (nonce.len == 0) {
        return;
    }
    if (now >= k->resolved_end) {
        memset(k->resolved_len, 0, sizeof k->resolved_len);
    }
    for (int i = IDS_RECEIPT_ANSWERS - 1; i > 0; i--) {
        memcpy(k->resolved[i], k->resolved[i - 1], sizeof k->resolved[i]);
        k->resolved_len[i] = k->resolved_len[i - 1];
        k->resolved_as[i] = k->resolved_as[i - 1];
    }
    k->resolved_len[0] = keep(k->resolved[0], nonce);
    k->resolved_as[0] = outcome;
    k->resolved_end = now + IDS_RECEIPT_TTL_MS;
}

/* It changed something: from now on no token that was given out is worth
 * anything. */
static const char *resolved(idt_check_key *k, uint64_t now,
                            const idp_request *q, const idp_answer *a) {
    int before = resolved_before(k, now, q->nonce);
    if (before >= 0) {
        return k->resolved_as[before] == a->outcome
                   ? NULL
                   : "I5: resolve's nonce, another answer";
    }
    if (!is_current(k, q)) {
        return "I4: a token that is not the current one resolved";
    }
    bool runs = k->held == IDT_HELD_CLAIMED && now < k->lease_end;
    if (!q->force && (runs || k->held == IDT_HELD_COMPLETED)) {
        return "I1: resolved without force";
    }
    if (a->outcome != IDP_OUTCOME_DELETED && k->held != IDT_HELD_CLAIMED) {
        return "I2: resolve ended what was ended";
    }
    note_resolved(k, now, q->nonce, a->outcome);
    k->taken_over = true;
    k->attempt++;
    k->nonce_len = 0;
    if (a->outcome == IDP_OUTCOME_DELETED) {
        let_go(k);
        return NULL;
    }
    bool completes = a->outcome == IDP_OUTCOME_COMPLETED;
    k->held = completes ? IDT_HELD_COMPLETED : IDT_HELD_RELEASED;
    if (completes) {
        k->kept = a->kept;
        k->class = q->class;
        k->result_hash = a->kept ? hash_of(q->result) : 0;
    }
    restart(k, now,
            completes && a->ttl_ms ? a->ttl_ms
            : q->ttl_ms            ? q->ttl_ms
                                   : k->ttl_ms);
    return NULL;
}

/* --- all --------------------------------------------------------------- */

const char *idt_check_answer(idt_check *check, uint32_t key, uint64_t now_ms,
                             const idp_request *q, const idp_answer *a) {
    idt_check_key *k = &check->keys[key];
    if (k->held != IDT_HELD_NONE && now_ms >= k->ttl_end) {
        let_go(k);
    }
    if (q->method == IDP_RESOLVE && (a->outcome == IDP_OUTCOME_COMPLETED ||
                                     a->outcome == IDP_OUTCOME_RELEASED ||
                                     a->outcome == IDP_OUTCOME_DELETED)) {
        return resolved(k, now_ms, q, a);
    }
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        return acquired(k, now_ms, q, a);
    case IDP_OUTCOME_REPLAY:
        return replayed(k, q, a);
    case IDP_OUTCOME_COMPLETED:
        return completed(k, now_ms, q, a);
    case IDP_OUTCOME_RELEASED:
        return released(k, now_ms, q);
    case IDP_OUTCOME_RENEWED:
        return renewed(k, now_ms, q, a);
    case IDP_OUTCOME_STALE:
        return refused(k, q);
    case IDP_OUTCOME_UNKNOWN:
        return k->held == IDT_HELD_NONE ? NULL : "I2: a record was forgotten";
    case IDP_OUTCOME_DELETED:
    case IDP_OUTCOME_REFUSED:
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
    case IDP_OUTCOME_IN_PROGRESS:
    case IDP_OUTCOME_MISMATCH:
    case IDP_OUTCOME_ORPHANED:
    case IDP_OUTCOME_RECORD:
    case IDP_OUTCOME_COUNT:
    default: /* they say nothing that could be wrong by itself */
        return NULL;
    }
}

const char *idt_check_limits(const ids_shard_config *config,
                             const ids_shard_stats *stats, const idt_mem *mem) {
    if (stats->memory_bytes > config->memory_bytes_max) {
        return "I15: more memory than the limit";
    }
    if (stats->memory_bytes != mem->bytes) {
        return "I15: more or less memory than it says";
    }
    if (mem->wrong > 0) {
        return "I15: a block given back with another size";
    }
    if (stats->waiters > config->waiters_max) {
        return "I15: more waiters than the limit";
    }
    return NULL;
}
