/* SPDX-License-Identifier: Apache-2.0 */
/* walks.h -- the walks of `list`, as all workers of a server share them.
 *
 * A walk goes through one worker's records after the other's, a page at a time,
 * and knows what it looks for. Its position holds nothing in a table
 * (core/scan.h); it is kept here so that there are few of them, and each is
 * somebody's. Its cursor names the walk and the page: who asks for the page
 * that it was given last gets that again, since an answer may be lost.
 *
 * Behind a lock, for a page a time. */
#ifndef IDS_WALKS_H
#define IDS_WALKS_H

#include "proto/error.h"
#include "server/access/credentials.h"

#define IDS_WALKS_A_LOOP 16u
#define IDS_WALKS_A_USER 4u
#define IDS_WALK_IDLE_MS 60000u
#define IDS_WALK_MS_MAX  600000u
/* A page that is so late was lost. */
#define IDS_WALK_LATE_MS 10000u
#define IDS_CURSOR_BYTES 26

/* A cursor: 16 digits that name something, a point and the page's number.
 * False: it is none. */
bool ids_cursor_read(idp_slice cursor, uint64_t *id, uint32_t *page);

typedef struct ids_walks ids_walks;

/* Where a page begins. */
typedef struct ids_walk_at {
    uint32_t loop;
    uint64_t position;
} ids_walk_at;

/* What is looked for. */
typedef struct ids_walk_for {
    idp_state state; /* ABSENT: any */
    uint64_t older_ms;
    bool has_ns, oldest;
    uint8_t ns_len;
    uint16_t prefix_len;
    uint8_t ns[IDP_NS_BYTES_MAX];
    uint8_t prefix[IDP_KEY_BYTES_MAX];
} ids_walk_for;

typedef struct ids_walk {
    uint64_t id; /* 0: there is none */
    uint32_t page;
    ids_walk_at at;
    ids_walk_for what;
    ids_credentials *version; /* of who asks, held; NULL: it may see all */
    const ids_user *user;
} ids_walk;

/* NULL: no memory. */
ids_walks *ids_walks_new(uint32_t loops);
void ids_walks_free(ids_walks *walks);

/* Who asks, as of now: a version of the credentials and a user of it, or
 * neither. */
typedef struct ids_walk_asker {
    ids_credentials *version;
    const ids_user *user;
    uint64_t now_ms;
} ids_walk_asker;

/* Begins a walk, or goes on with the one that the cursor names: its next page
 * is under way from now on. *loop: whose records it is about, and *id names it.
 * Else an error, and a static text. Any thread. */
idp_error ids_walks_ask(ids_walks *walks, const idp_request *request,
                        const ids_walk_asker *asker, uint64_t *id,
                        uint32_t *loop, const char **text);

/* The page under way is to be made; drop gives back what walk holds. False:
 * that walk is over. Any thread. */
bool ids_walks_find(ids_walks *walks, uint64_t id, ids_walk *walk);
void ids_walk_drop(ids_walk *walk);

/* It was: the next one begins there, and this is its cursor. is_over: there is
 * none. */
void ids_walks_went(ids_walks *walks, uint64_t id, const ids_walk_at *next,
                    bool is_over, char cursor[static IDS_CURSOR_BYTES]);

/* It was refused: it can be asked for again. */
void ids_walks_failed(ids_walks *walks, uint64_t id);

#endif
