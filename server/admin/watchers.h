/* SPDX-License-Identifier: Apache-2.0 */
/* watchers.h -- who watches what happens to keys, as all workers of a server
 * share them.
 *
 * A watcher knows what it looks for, and up to which event of each worker it
 * was told. Its cursor names it and the page: who asks for the page that it was
 * given last gets that again, as far as it is still kept, since an answer may
 * be lost. Behind a lock, which nobody takes while nobody watches. */
#ifndef IDS_WATCHERS_H
#define IDS_WATCHERS_H

#include "proto/error.h"
#include "server/admin/walks.h"

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

typedef struct ids_watch_for {
    idp_event_kind kind; /* ANY: any */
    bool has_ns;
    uint8_t ns_len;
    uint16_t prefix_len;
    uint8_t ns[IDP_NS_BYTES_MAX];
    uint8_t prefix[IDP_KEY_BYTES_MAX];
} ids_watch_for;

typedef struct ids_watcher {
    uint64_t id; /* 0: there is none */
    uint32_t page;
    uint64_t epoch; /* that it began in: another one counts other events */
    ids_watch_for what;
    ids_credentials *version; /* of who asks, held; NULL: it may see all */
    const ids_user *user;
} ids_watcher;

/* NULL: no memory. */
ids_watchers *ids_watchers_new(uint32_t loops);
void ids_watchers_free(ids_watchers *watchers);

/* A new one, or the one that the cursor names: a page of it is under way from
 * now on. at: of each loop the number that it goes on from. Else an error, and
 * a static text. All of these: any thread. */
idp_error ids_watchers_ask(ids_watchers *watchers, const idp_request *request,
                           const ids_walk_asker *asker, uint64_t epoch,
                           uint64_t *id, uint64_t *at, const char **text);

/* What is looked for, and for whom; drop gives back what watcher holds. False:
 * it is over. */
bool ids_watchers_find(ids_watchers *watchers, uint64_t id,
                       ids_watcher *watcher);
void ids_watcher_drop(ids_watcher *watcher);

/* The page under way is for whom the asker is now. */
void ids_watchers_see(ids_watchers *watchers, uint64_t id,
                      const ids_walk_asker *asker);

/* It was made: the next one begins there, and this is its cursor. */
void ids_watchers_went(ids_watchers *watchers, uint64_t id, const uint64_t *at,
                       uint64_t now_ms, char cursor[static IDS_CURSOR_BYTES]);

/* It was not: it can be asked for again. */
void ids_watchers_failed(ids_watchers *watchers, uint64_t id);

#endif
