/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.h -- what --verify asks next, and what it heard of each key, for the
 * judge.
 *
 * Pure: asks and answers with their times go in; when nobody asks for a key
 * any more, its history goes to the judge of bench/judge, who knows what must
 * never be heard. What was told of a key that is done stays, as far as it
 * changed the key's record: it is asked for again, and judged again. */
#ifndef IDB_RECORDER_H
#define IDB_RECORDER_H

#include "bench/job.h"
#include "proto/terms.h"

#include <stdio.h>

#define IDB_ATTEMPTS_MAX 48 /* a key with more is given up */

typedef struct idb_ask {
    uint64_t sent_ns;
    uint64_t number;  /* the key's */
    uint32_t key;     /* its place in the recorder; IDB_KEY_OLD: retired */
    uint32_t call;    /* its place among the key's, or the old keys */
    uint32_t asker;   /* has one call at a time */
    uint32_t attempt; /* complete, release, renew: the token's */
    idp_token token;
    idp_method method;
    bool other_body;
} idb_ask;

#define IDB_KEY_OLD UINT32_MAX

typedef struct idb_tally {
    uint64_t answers, grants, takeovers, completes, replays, in_progress,
        mismatches, releases, stales, old_replays, keys;
    uint64_t undecided; /* keys with too many calls at a time to be judged by
                         * more than their promises */
} idb_tally;

typedef struct idb_recorder idb_recorder;

/* keys: contended for at a time. NULL without memory. */
idb_recorder *idb_recorder_new(const idb_work *work, uint32_t keys,
                               uint64_t seed, uint64_t start_ns);
void idb_recorder_free(idb_recorder *recorder);

/* Chooses what to acquire next: mostly a key that others want as well, now
 * and then one that is long done. Counts as under way until it is answered
 * and, where that grants, idb_recorder_drop is called. */
void idb_recorder_ask(idb_recorder *recorder, uint64_t now_ns, idb_ask *ask);

/* The complete that belongs to a grant: its result's bytes. */
void idb_recorder_result(const idb_recorder *recorder, const idb_ask *ask,
                         uint8_t *to);
void idb_recorder_sent(idb_recorder *recorder, idb_ask *ask);

/* False, here and below: a promise is broken; idb_recorder_tell says which. */
bool idb_recorder_hear(idb_recorder *recorder, uint64_t now_ns,
                       const idb_ask *ask, const idp_answer *answer);

/* An error where there must be an answer; always false. */
bool idb_recorder_error(idb_recorder *recorder, uint64_t now_ns,
                        const idb_ask *ask, const char *text);

/* Nothing more comes of this ask's key from its asker. */
bool idb_recorder_drop(idb_recorder *recorder, const idb_ask *ask);

/* It is over: judges the keys that are still contended for. What was not
 * answered may have counted. */
bool idb_recorder_end(idb_recorder *recorder);

/* The broken promise, and all that was heard of its key. */
void idb_recorder_tell(idb_recorder *recorder, FILE *to);
const idb_tally *idb_recorder_tally(const idb_recorder *recorder);

#endif
