/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h -- what --verify knows of each key, and what must never be heard.
 *
 * Pure: asks and answers with their times go in, the first broken promise
 * comes out as text with the key's history. What is checked holds whatever
 * order answers arrive in over different connections:
 *
 *   one winner per key and attempt; tokens grow with attempts
 *   no grant above an attempt that was completed; one completed attempt
 *   every replay is, bit for bit, the one result that was completed
 *   a taken over lease was over; another body never wins or gets a result
 *   nothing is forgotten before its time */
#ifndef IDB_LEDGER_H
#define IDB_LEDGER_H

#include "bench/job.h"
#include "proto/terms.h"

#include <stdio.h>

#define IDB_ATTEMPTS_MAX 48  /* a key with more is given up */
#define IDB_HISTORY_MAX  256 /* the last events of a key */

typedef struct idb_ask {
    uint64_t sent_ns;
    uint64_t number;  /* the key's */
    uint32_t key;     /* its place in the ledger; IDB_KEY_OLD: retired */
    uint32_t asker;   /* the connection */
    uint32_t attempt; /* complete, release, renew: the token's */
    idp_token token;
    idp_method method;
    bool other_body;
} idb_ask;

#define IDB_KEY_OLD UINT32_MAX

typedef struct idb_tally {
    uint64_t answers, grants, takeovers, completes, replays, in_progress,
        mismatches, releases, stales, old_replays, keys;
} idb_tally;

typedef struct idb_ledger idb_ledger;

/* keys: contended for at a time. NULL without memory. */
idb_ledger *idb_ledger_new(const idb_work *work, uint32_t keys, uint64_t seed,
                           uint64_t start_ns);
void idb_ledger_free(idb_ledger *ledger);

/* Chooses what to acquire next: mostly a key that others want as well, now
 * and then one that is long done. Counts as under way until it is answered
 * and, where that grants, idb_ledger_drop is called. */
void idb_ledger_ask(idb_ledger *ledger, uint64_t now_ns, idb_ask *ask);

/* The complete that belongs to a grant: its result's bytes. */
void idb_ledger_result(const idb_ledger *ledger, const idb_ask *ask,
                       uint8_t *to);
void idb_ledger_sent(idb_ledger *ledger, const idb_ask *ask);

/* False: a promise is broken; idb_ledger_tell says which. */
bool idb_ledger_hear(idb_ledger *ledger, uint64_t now_ns, const idb_ask *ask,
                     const idp_answer *answer);

/* An error where there must be an answer; always false. */
bool idb_ledger_error(idb_ledger *ledger, uint64_t now_ns, const idb_ask *ask,
                      const char *text);

/* The asker is done with the ask's key. */
void idb_ledger_drop(idb_ledger *ledger, const idb_ask *ask);

void idb_ledger_tell(const idb_ledger *ledger, FILE *to);
const idb_tally *idb_ledger_tally(const idb_ledger *ledger);

#endif
