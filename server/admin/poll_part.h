/* SPDX-License-Identifier: Apache-2.0 */
/* poll_part.h -- one loop's part of an answer to who watches, between polls.c
 * and poll_part.c. */
#ifndef IDS_POLL_PART_H
#define IDS_POLL_PART_H

#include "server/admin/polls.h"

/* What a loop is asked, and what it tells; rows stand behind that. */
typedef struct ids_poll_ask {
    uint64_t id, at;
    uint32_t round, rows_max;
} ids_poll_ask;

typedef struct ids_poll_part {
    uint64_t id, next, lost;
    uint32_t round, loop, count;
    bool has_more;
} ids_poll_part;

/* This loop's part; its rows go behind what is in rows. False: no memory, or
 * nobody watches any more. */
bool ids_poll_part_make(ids_worker *worker, const ids_poll_ask *ask,
                        ids_poll_part *part, idp_bytes *rows);

#endif
