/* SPDX-License-Identifier: Apache-2.0 */
/* key_model.h -- one key's record, as far as answers show it, and what each
 * answer does to it.
 *
 * Time: a lease or a retention may be over from its end on, never before it
 * (I13); nothing says that it must be, since a failover gives each claim its
 * full lease again. So the earliest possible time of everything is kept:
 * where even that is too late, the answer was wrong. */
#ifndef NEM_KEY_MODEL_H
#define NEM_KEY_MODEL_H

#include "bench/judge/history.h"

/* The server reads its clock once a turn, and a busy machine may let it wait
 * in the middle of one: so much earlier may an end come. */
#define NEM_SLACK_NS (120 * NEM_MS)

typedef enum nem_kind {
    NEM_ABSENT,
    NEM_HELD, /* in progress, or orphaned */
    NEM_COMPLETED,
    NEM_RELEASED
} nem_kind;

/* Names of a history's key as numbers; 0 is none. */
typedef struct nem_ask {
    const nem_op *op;
    uint32_t fp;
    uint32_t nonce;
} nem_ask;

typedef struct nem_record {
    nem_kind kind;
    int32_t previous;
    uint32_t fp;
    uint32_t nonce;
    uint64_t attempt;
    nem_token token;  /* none: nobody has heard of it */
    nem_token newest; /* of all that were heard */
    nem_result result;
    uint64_t class;
    uint64_t lease_ms;
    uint64_t ttl_ms;
    uint64_t now_ns; /* the earliest time of the last effect */
    uint64_t lease_end_ns;
    uint64_t ttl_end_ns;
    uint32_t unheard; /* effects of calls that nobody heard an answer of */
} nem_record;

/* The answered op takes effect now. False: this answer can't be given here.
 * changed: the record is another one, or its deadlines are. */
bool nem_apply(const nem_ask *ask, nem_record *r, bool *changed);

/* An attempt nobody heard of takes effect, by until_ns at the latest. False:
 * it would change nothing. */
bool nem_apply_unheard(const nem_ask *ask, nem_record *r, uint64_t until_ns);

/* The retention ends, by until_ns at the latest. */
bool nem_expire(nem_record *r, uint64_t until_ns);

#endif
