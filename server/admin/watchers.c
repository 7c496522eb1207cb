/* SPDX-License-Identifier: Apache-2.0 */
/* watchers.c -- see watchers.h. */
#include "server/admin/watchers.h"

#include <sodium.h>

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct watching {
    ids_watcher watcher;
    char owner[IDP_USER_BYTES_MAX + 1];
    uint64_t used_ms;
    bool is_busy;
    uint64_t *at, *before; /* of each loop; before: of the page made last */
} watching;

struct ids_watchers {
    pthread_mutex_t lock;
    uint32_t loops;
    watching all[IDS_WATCHERS_MAX];
};

ids_watchers *ids_watchers_new(uint32_t loops) {
    ids_watchers *watchers = calloc(1, sizeof *watchers);
    if (!watchers)
        return NULL;
    pthread_mutex_init(&watchers->lock, NULL);
    watchers->loops = loops;
    return watchers;
}

void ids_watcher_drop(ids_watcher *watcher) {
    ids_credentials_drop(watcher->version);
    watcher->version = NULL;
    watcher->user = NULL;
}

static void forget_watching(watching *w) {
    ids_watcher_drop(&w->watcher);
    free(w->at);
    *w = (watching){.watcher = {.id = 0}};
}

void ids_watchers_free(ids_watchers *watchers) {
    if (!watchers)
        return;
    for (uint32_t i = 0; i < IDS_WATCHERS_MAX; i++)
        forget_watching(&watchers->all[i]);
    pthread_mutex_destroy(&watchers->lock);
    free(watchers);
}

static uint64_t rested_ms(const watching *w, uint64_t now_ms) {
    return !w->is_busy && now_ms > w->used_ms ? now_ms - w->used_ms : 0;
}

static watching *find_watching(ids_watchers *watchers, uint64_t id) {
    for (uint32_t i = 0; id && i < IDS_WATCHERS_MAX; i++)
        if (watchers->all[i].watcher.id == id)
            return &watchers->all[i];
    return NULL;
}

static const char *name_of_asker(const ids_walk_asker *asker) {
    return asker->user ? asker->user->name : "";
}

static void hold_version(watching *w, const ids_walk_asker *asker) {
    ids_watcher_drop(&w->watcher);
    if (asker->version)
        ids_credentials_hold(asker->version);
    w->watcher.version = asker->version;
    w->watcher.user = asker->user;
}

/* A new one ---------------------------------------------------------------- */

/* The one that rests longest, of this owner (NULL: of any); NULL: none does for
 * so long. */
static watching *find_resting(ids_watchers *watchers, const char *owner,
                              uint64_t now_ms, uint64_t least_ms) {
    watching *found = NULL;
    for (uint32_t i = 0; i < IDS_WATCHERS_MAX; i++) {
        watching *w = &watchers->all[i];
        if (w->watcher.id && (!owner || strcmp(w->owner, owner) == 0) &&
            rested_ms(w, now_ms) >= least_ms &&
            (!found || w->used_ms < found->used_ms))
            found = w;
    }
    return found;
}

static watching *find_watcher_place(ids_watchers *watchers,
                                    const ids_walk_asker *asker,
                                    const char **text) {
    const char *owner = name_of_asker(asker);
    watching *resting, *free_one = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < IDS_WATCHERS_MAX; i++) {
        watching *w = &watchers->all[i];
        if (rested_ms(w, asker->now_ms) >= IDS_WATCHER_IDLE_MS)
            forget_watching(w);
        if (!w->watcher.id)
            free_one = free_one ? free_one : w;
        else
            count += strcmp(w->owner, owner) == 0;
    }
    if (count >= IDS_WATCHERS_A_USER) {
        resting =
            find_resting(watchers, owner, asker->now_ms, IDS_WATCHER_REST_MS);
        *text = "this credential watches four times already; end one";
    } else if (free_one) {
        return free_one;
    } else {
        resting =
            find_resting(watchers, NULL, asker->now_ms, IDS_WATCHER_STALE_MS);
        *text = "too many watch; ask again";
    }
    if (resting)
        forget_watching(resting);
    return resting;
}

static ids_watch_for watch_for(const idp_request *request) {
    ids_watch_for what = {.kind = request->kind,
                          .has_ns = request->ns.ptr != NULL,
                          .ns_len = (uint8_t)request->ns.len,
                          .prefix_len = (uint16_t)request->key.len};
    assert(request->ns.len <= sizeof what.ns);
    assert(request->key.len <= sizeof what.prefix);
    if (request->ns.ptr)
        memcpy(what.ns, request->ns.ptr, request->ns.len);
    if (request->key.ptr)
        memcpy(what.prefix, request->key.ptr, request->key.len);
    return what;
}

static watching *begin_watching(ids_watchers *watchers,
                                const idp_request *request,
                                const ids_walk_asker *asker, uint64_t epoch,
                                const char **text) {
    watching *w = find_watcher_place(watchers, asker, text);
    if (!w)
        return NULL;
    w->at = malloc(2 * watchers->loops * sizeof *w->at);
    if (!w->at) {
        *text = "no memory to watch; ask again";
        return NULL;
    }
    w->before = w->at + watchers->loops;
    for (uint32_t i = 0; i < watchers->loops; i++)
        w->at[i] = w->before[i] = IDS_WATCHER_NOW;
    do
        randombytes_buf(&w->watcher.id, sizeof w->watcher.id);
    while (!w->watcher.id);
    w->watcher.epoch = epoch;
    w->watcher.what = watch_for(request);
    snprintf(w->owner, sizeof w->owner, "%s", name_of_asker(asker));
    return w;
}

/* Of the digits that a cursor has; 0 is of who has not been answered. */
static uint32_t page_behind(uint32_t page) {
    return page < 99999999 ? page + 1 : 1;
}

/* One that goes on --------------------------------------------------------- */

static watching *go_on_watching(ids_watchers *watchers,
                                const idp_request *request,
                                const ids_walk_asker *asker, uint64_t epoch,
                                const char **text) {
    uint64_t id;
    uint32_t page;
    watching *w = ids_cursor_read(request->cursor, &id, &page)
                      ? find_watching(watchers, id)
                      : NULL;
    if (!w || w->watcher.epoch != epoch ||
        rested_ms(w, asker->now_ms) >= IDS_WATCHER_IDLE_MS ||
        strcmp(w->owner, name_of_asker(asker)) != 0) {
        *text = "cursor: nobody watches by it here, or no more; begin anew";
        return NULL;
    }
    if (w->is_busy) {
        *text = "cursor: it is asked for already";
        return NULL;
    }
    if (page_behind(page) == w->watcher.page) { /* its answer was lost */
        w->watcher.page = page;
        memcpy(w->at, w->before, watchers->loops * sizeof *w->at);
    } else if (page != w->watcher.page) {
        *text = "cursor: this page is behind; begin anew";
        return NULL;
    }
    return w;
}

idp_error ids_watchers_ask(ids_watchers *watchers, const idp_request *request,
                           const ids_walk_asker *asker, uint64_t epoch,
                           uint64_t *id, uint64_t *at, const char **text) {
    bool is_new = request->cursor.ptr == NULL;
    pthread_mutex_lock(&watchers->lock);
    watching *w = is_new
                      ? begin_watching(watchers, request, asker, epoch, text)
                      : go_on_watching(watchers, request, asker, epoch, text);
    if (w) {
        hold_version(w, asker);
        w->used_ms = asker->now_ms;
        w->is_busy = true;
        *id = w->watcher.id;
        memcpy(at, w->at, watchers->loops * sizeof *at);
    }
    pthread_mutex_unlock(&watchers->lock);
    if (w)
        return IDP_OK;
    return is_new ? IDP_E_LIMIT : IDP_E_BAD_REQUEST;
}

bool ids_watchers_find(ids_watchers *watchers, uint64_t id,
                       ids_watcher *watcher) {
    pthread_mutex_lock(&watchers->lock);
    const watching *w = find_watching(watchers, id);
    if (w) {
        *watcher = w->watcher;
        if (watcher->version)
            ids_credentials_hold(watcher->version);
    }
    pthread_mutex_unlock(&watchers->lock);
    return w != NULL;
}

void ids_watchers_see(ids_watchers *watchers, uint64_t id,
                      const ids_walk_asker *asker) {
    pthread_mutex_lock(&watchers->lock);
    watching *w = find_watching(watchers, id);
    if (w)
        hold_version(w, asker);
    pthread_mutex_unlock(&watchers->lock);
}

void ids_watchers_went(ids_watchers *watchers, uint64_t id, const uint64_t *at,
                       uint64_t now_ms, char cursor[static IDS_CURSOR_BYTES]) {
    size_t bytes = watchers->loops * sizeof *at;
    pthread_mutex_lock(&watchers->lock);
    watching *w = find_watching(watchers, id);
    if (w) {
        memcpy(w->before, w->at, bytes);
        memcpy(w->at, at, bytes);
        w->watcher.page = page_behind(w->watcher.page);
        w->used_ms = now_ms;
        w->is_busy = false;
        ids_watcher_drop(&w->watcher);
        snprintf(cursor, IDS_CURSOR_BYTES, "%016" PRIx64 ".%" PRIu32, id,
                 w->watcher.page);
    }
    pthread_mutex_unlock(&watchers->lock);
}

void ids_watchers_failed(ids_watchers *watchers, uint64_t id) {
    pthread_mutex_lock(&watchers->lock);
    watching *w = find_watching(watchers, id);
    if (w && w->watcher.page == 0) {
        forget_watching(w); /* nobody has its cursor */
    } else if (w) {
        w->is_busy = false;
        ids_watcher_drop(&w->watcher);
    }
    pthread_mutex_unlock(&watchers->lock);
}
