/* SPDX-License-Identifier: Apache-2.0 */
/* watchers.c -- see watchers.h. */
#include "server/admin/watchers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct watching {
    ids_watcher watcher;
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

static void forget_watching(watching *w) {
    ids_paged_drop(&w->watcher.paged);
    free(w->at);
    *w = (watching){.at = NULL};
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
    const ids_paged *paged = &w->watcher.paged;
    return !paged->is_busy && now_ms > paged->used_ms ? now_ms - paged->used_ms
                                                      : 0;
}

static watching *find_watching(ids_watchers *watchers, uint64_t id) {
    for (uint32_t i = 0; id && i < IDS_WATCHERS_MAX; i++)
        if (watchers->all[i].watcher.paged.id == id)
            return &watchers->all[i];
    return NULL;
}

/* A new one ---------------------------------------------------------------- */

/* The one that rests longest, of this viewer (NULL: of any); NULL: none does
 * for so long. */
static watching *find_resting(ids_watchers *watchers, const ids_viewer *viewer,
                              uint64_t now_ms, uint64_t least_ms) {
    watching *found = NULL;
    for (uint32_t i = 0; i < IDS_WATCHERS_MAX; i++) {
        watching *w = &watchers->all[i];
        const ids_paged *paged = &w->watcher.paged;
        if (paged->id && (!viewer || ids_paged_is_of(paged, viewer)) &&
            rested_ms(w, now_ms) >= least_ms &&
            (!found || paged->used_ms < found->watcher.paged.used_ms))
            found = w;
    }
    return found;
}

static watching *find_watcher_place(ids_watchers *watchers,
                                    const ids_viewer *viewer,
                                    const char **text) {
    watching *resting, *free_one = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < IDS_WATCHERS_MAX; i++) {
        watching *w = &watchers->all[i];
        if (rested_ms(w, viewer->now_ms) >= IDS_WATCHER_IDLE_MS)
            forget_watching(w);
        if (!w->watcher.paged.id)
            free_one = free_one ? free_one : w;
        else
            count += ids_paged_is_of(&w->watcher.paged, viewer);
    }
    if (count >= IDS_WATCHERS_A_USER) {
        resting =
            find_resting(watchers, viewer, viewer->now_ms, IDS_WATCHER_REST_MS);
        *text = "this credential watches four times already; end one";
    } else if (free_one) {
        return free_one;
    } else {
        resting =
            find_resting(watchers, NULL, viewer->now_ms, IDS_WATCHER_STALE_MS);
        *text = "too many watch; ask again";
    }
    if (resting)
        forget_watching(resting);
    return resting;
}

static watching *begin_watching(ids_watchers *watchers,
                                const idp_request *request,
                                const ids_viewer *viewer, uint64_t epoch,
                                const char **text) {
    watching *w = find_watcher_place(watchers, viewer, text);
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
    ids_paged_begin(&w->watcher.paged, request, viewer);
    w->watcher.epoch = epoch;
    w->watcher.kind = request->kind;
    return w;
}

/* One that goes on --------------------------------------------------------- */

static watching *go_on_watching(ids_watchers *watchers,
                                const idp_request *request,
                                const ids_viewer *viewer, uint64_t epoch,
                                const char **text) {
    uint64_t id;
    uint32_t page;
    watching *w = ids_cursor_read(request->cursor, &id, &page)
                      ? find_watching(watchers, id)
                      : NULL;
    if (!w || w->watcher.epoch != epoch ||
        rested_ms(w, viewer->now_ms) >= IDS_WATCHER_IDLE_MS ||
        !ids_paged_is_of(&w->watcher.paged, viewer)) {
        *text = "cursor: nobody watches by it here, or no more; begin anew";
        return NULL;
    }
    if (w->watcher.paged.is_busy) {
        *text = "cursor: it is asked for already";
        return NULL;
    }
    switch (ids_paged_ask(&w->watcher.paged, page)) {
    case IDS_PAGE_NEXT:
        break;
    case IDS_PAGE_AGAIN:
        memcpy(w->at, w->before, watchers->loops * sizeof *w->at);
        break;
    case IDS_PAGE_BEHIND:
        *text = "cursor: this page is behind; begin anew";
        return NULL;
    }
    return w;
}

idp_error ids_watchers_ask(ids_watchers *watchers, const idp_request *request,
                           const ids_viewer *viewer, uint64_t epoch,
                           uint64_t *id, uint64_t *at, const char **text) {
    bool is_new = request->cursor.ptr == NULL;
    pthread_mutex_lock(&watchers->lock);
    watching *w = is_new
                      ? begin_watching(watchers, request, viewer, epoch, text)
                      : go_on_watching(watchers, request, viewer, epoch, text);
    if (w) {
        ids_paged_work(&w->watcher.paged, viewer);
        *id = w->watcher.paged.id;
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
    bool is_busy = w && w->watcher.paged.is_busy;
    if (is_busy) {
        *watcher = w->watcher;
        watcher->paged = ids_paged_copy(&w->watcher.paged);
    }
    pthread_mutex_unlock(&watchers->lock);
    return is_busy;
}

void ids_watchers_see(ids_watchers *watchers, uint64_t id,
                      const ids_viewer *viewer) {
    pthread_mutex_lock(&watchers->lock);
    watching *w = find_watching(watchers, id);
    if (w)
        ids_paged_work(&w->watcher.paged, viewer);
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
        ids_paged_went(&w->watcher.paged, cursor);
        w->watcher.paged.used_ms = now_ms;
    }
    pthread_mutex_unlock(&watchers->lock);
}

void ids_watchers_failed(ids_watchers *watchers, uint64_t id) {
    pthread_mutex_lock(&watchers->lock);
    watching *w = find_watching(watchers, id);
    if (w && w->watcher.paged.page == 0) {
        forget_watching(w); /* nobody has its cursor */
    } else if (w) {
        ids_paged_rest(&w->watcher.paged);
    }
    pthread_mutex_unlock(&watchers->lock);
}
