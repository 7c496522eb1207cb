/* SPDX-License-Identifier: Apache-2.0 */
/* watchers.h -- who watches what happens to keys, as all workers of a server
 * share them.
 *
 * A watcher knows what it looks for, and up to which event of each worker it
 * was told: a page that is asked for again tells what is still kept of it.
 * Behind a lock, which nobody takes while nobody watches. */
#ifndef IDS_WATCHERS_H
#define IDS_WATCHERS_H

#include "proto/error.h"
#include "server/admin/paged.h"

#define IDS_WATCHERS_MAX     64u
#define IDS_WATCHERS_A_USER  4u
#define IDS_WATCHER_IDLE_MS  600000u
/* A new one may have the place of one of its credential's own that rests for so
 * long, or of anybody's. */
#define IDS_WATCHER_REST_MS  2000u
#define IDS_WATCHER_STALE_MS 60000u

/* In place of a number: what happens from now on. */
#define IDS_WATCHER_NOW UINT64_MAX

typedef struct ids_watchers ids_watchers;

typedef struct ids_watcher {
    ids_paged paged;
    idp_event_kind kind; /* that is looked for; ANY: any */
    uint64_t epoch;      /* that it began in: another one counts other events */
} ids_watcher;

/* NULL: no memory. */
ids_watchers *ids_watchers_new(uint32_t loops);
void ids_watchers_free(ids_watchers *watchers);

/* A new one, or the one that the cursor names: a page of it is under way from
 * now on. at: of each loop the number that it goes on from. Else an error, and
 * a static text. All of these: any thread. */
idp_error ids_watchers_ask(ids_watchers *watchers, const idp_request *request,
                           const ids_viewer *viewer, uint64_t epoch,
                           uint64_t *id, uint64_t *at, const char **text);

/* What is looked for, and for whom; drop watcher->paged. False: no page of it
 * is under way. */
bool ids_watchers_find(ids_watchers *watchers, uint64_t id,
                       ids_watcher *watcher);

/* The page under way is for whom the viewer is now. */
void ids_watchers_see(ids_watchers *watchers, uint64_t id,
                      const ids_viewer *viewer);

/* It was made: the next one begins there, and this is its cursor. */
void ids_watchers_went(ids_watchers *watchers, uint64_t id, const uint64_t *at,
                       uint64_t now_ms, char cursor[static IDS_CURSOR_BYTES]);

/* It was not: it can be asked for again. */
void ids_watchers_failed(ids_watchers *watchers, uint64_t id);

#endif
