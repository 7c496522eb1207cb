/* SPDX-License-Identifier: Apache-2.0 */
/* walks.h -- the walks of `list`, as all workers of a server share them.
 *
 * A walk goes through one worker's records after the other's, a page at a time,
 * and knows what it looks for. Its position holds nothing in a table
 * (core/scan.h); it is kept here so that there are few of them, and each is
 * somebody's. One that is through is kept as long as its place is not needed:
 * its last page can be asked for again.
 *
 * Behind a lock, for a page a time. */
#ifndef IDS_WALKS_H
#define IDS_WALKS_H

#include "proto/error.h"
#include "server/admin/paged.h"

#define IDS_WALKS_A_LOOP 16u
#define IDS_WALKS_A_USER 4u
#define IDS_WALK_IDLE_MS 60000u
#define IDS_WALK_MS_MAX  600000u
/* A page that is so late was lost. */
#define IDS_WALK_LATE_MS 10000u

typedef struct ids_walks ids_walks;

/* Where a page begins. */
typedef struct ids_walk_at {
    uint32_t loop;
    uint64_t position;
} ids_walk_at;

typedef struct ids_walk {
    ids_paged paged;
    ids_walk_at at;
    idp_state state; /* that is looked for; ABSENT: any */
    uint64_t older_ms;
    bool oldest;
} ids_walk;

/* NULL: no memory. */
ids_walks *ids_walks_new(uint32_t loops);
void ids_walks_free(ids_walks *walks);

/* Begins a walk, or goes on with the one that the cursor names: its next page
 * is under way from now on. *loop: whose records it is about, and *id names it.
 * Else an error, and a static text. Any thread. */
idp_error ids_walks_ask(ids_walks *walks, const idp_request *request,
                        const ids_viewer *viewer, uint64_t *id, uint32_t *loop,
                        const char **text);

/* The page under way is to be made; drop walk->paged. False: there is none.
 * Any thread. */
bool ids_walks_find(ids_walks *walks, uint64_t id, ids_walk *walk);

/* It was: the next one begins there, and this is its cursor. is_over: there is
 * none. */
void ids_walks_went(ids_walks *walks, uint64_t id, const ids_walk_at *next,
                    bool is_over, char cursor[static IDS_CURSOR_BYTES]);

/* It was refused: it can be asked for again. */
void ids_walks_failed(ids_walks *walks, uint64_t id);

#endif
