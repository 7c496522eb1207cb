/* SPDX-License-Identifier: Apache-2.0 */
/* check.h -- the invariants I1 to I6 and I15, checked from outside.
 *
 * It sees the calls and the answers, in the order in which they happened, and
 * nothing else: no model, no shard. From the answers alone it works out who
 * must hold what, and says which promise an answer breaks. */
#ifndef IDT_CHECK_H
#define IDT_CHECK_H

#include "server/core/receipt.h"
#include "tests/lib/mem.h"

enum { IDT_CHECK_KEYS_MAX = 64 };

typedef enum idt_held {
    IDT_HELD_NONE, /* never claimed, given up for good, or long over */
    IDT_HELD_CLAIMED,
    IDT_HELD_COMPLETED,
    IDT_HELD_RELEASED
} idt_held;

/* What the answers so far imply about one key. */
typedef struct idt_check_key {
    idt_held held;
    idp_token newest; /* the highest that was ever granted */
    bool any_token;
    idp_token token; /* of the last claim of this record */
    bool taken_over; /* by an operator, whose token no answer tells: it is
                      * above newest */
    uint32_t attempt;
    uint64_t lease_end;
    uint64_t ttl_ms;
    uint64_t ttl_end;
    uint8_t nonce[IDP_NONCE_BYTES_MAX];
    uint8_t fingerprint[IDP_FINGERPRINT_BYTES_MAX];
    size_t nonce_len, fingerprint_len;
    /* What resolves were answered that changed something, the last one first,
     * and until when that is kept. */
    uint8_t resolved[IDS_RECEIPT_ANSWERS][IDP_NONCE_BYTES_MAX];
    size_t resolved_len[IDS_RECEIPT_ANSWERS];
    idp_outcome resolved_as[IDS_RECEIPT_ANSWERS];
    uint64_t resolved_end;
    bool kept; /* completed: with this result */
    idp_class class;
    uint64_t result_hash;
} idt_check_key;

typedef struct idt_check {
    idt_check_key keys[IDT_CHECK_KEYS_MAX];
} idt_check;

void idt_check_init(idt_check *check);

/* One answer, to the request of this key. NULL, or what it breaks: a line
 * that begins with the invariant's name. */
const char *idt_check_answer(idt_check *check, uint32_t key, uint64_t now_ms,
                             const idp_request *request,
                             const idp_answer *answer);

/* I15: memory, records and waiters are within their limits, and what the
 * shard says it holds is what it took. */
const char *idt_check_limits(const ids_shard_config *config,
                             const ids_shard_stats *stats, const idt_mem *mem);

#endif
