/* SPDX-License-Identifier: Apache-2.0 */
/* erase.h -- all keys of a namespace that begin so are forgotten, on each loop
 * for itself, some a turn.
 *
 * A loop tells the asker's what it did as a reply to it, which leaves when the
 * changes are committed; the asker's adds the replies up. */
#ifndef IDS_ERASE_H
#define IDS_ERASE_H

#include "server/worker/worker.h"

/* A loop has so many under way; one more is LIMIT. */
#define IDS_ERASINGS_MAX 4

typedef struct ids_erasings {
    ids_list list;
    uint32_t count;
} ids_erasings;

/* The asker's loop: begins it on all loops. False: no memory for it on some. */
bool ids_erase_everywhere(ids_worker *worker, ids_audited_one *one);

/* A loop's reply. */
void ids_erase_part(ids_worker *worker, ids_audited_one *one, idp_slice frame,
                    idp_error failed);

/* This loop's keys: begins; goes on, true: there is more to do, soon. */
void ids_erase_take(ids_erasings *all, ids_worker *worker,
                    const ids_message *message, const uint8_t *body);
bool ids_erase_turn(ids_erasings *all, ids_worker *worker);
void ids_erase_fini(ids_erasings *all);

#endif
