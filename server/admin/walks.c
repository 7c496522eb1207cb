/* SPDX-License-Identifier: Apache-2.0 */
/* walks.c -- see walks.h. */
#include "server/admin/walks.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct held {
    ids_walk walk;
    ids_walk_at before; /* where the page began that was made last */
    uint64_t begun_ms;
    bool is_through; /* its last page was made */
} held;

struct ids_walks {
    pthread_mutex_t lock;
    uint32_t count;
    held all[];
};

ids_walks *ids_walks_new(uint32_t loops) {
    uint32_t count = loops * IDS_WALKS_A_LOOP;
    ids_walks *walks = calloc(1, sizeof *walks + count * sizeof *walks->all);
    if (!walks)
        return NULL;
    pthread_mutex_init(&walks->lock, NULL);
    walks->count = count;
    return walks;
}

static void forget_walk(held *h) {
    ids_paged_drop(&h->walk.paged);
    *h = (held){.is_through = false};
}

void ids_walks_free(ids_walks *walks) {
    if (!walks)
        return;
    for (uint32_t i = 0; i < walks->count; i++)
        forget_walk(&walks->all[i]);
    pthread_mutex_destroy(&walks->lock);
    free(walks);
}

static uint64_t since(uint64_t then_ms, uint64_t now_ms) {
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static bool walk_is_over(const held *h, uint64_t now_ms) {
    return since(h->walk.paged.used_ms, now_ms) >= IDS_WALK_IDLE_MS ||
           since(h->begun_ms, now_ms) >= IDS_WALK_MS_MAX;
}

static held *find_walk(ids_walks *walks, uint64_t id) {
    for (uint32_t i = 0; id && i < walks->count; i++)
        if (walks->all[i].walk.paged.id == id)
            return &walks->all[i];
    return NULL;
}

/* A new one ------------------------------------------------------------- */

/* A free place, or that of one that is over or through. owned: how many the
 * viewer has under way. */
static held *find_walk_place(ids_walks *walks, const ids_viewer *viewer,
                             uint32_t *owned) {
    held *free_one = NULL, *through = NULL;
    *owned = 0;
    for (uint32_t i = 0; i < walks->count; i++) {
        held *h = &walks->all[i];
        if (h->walk.paged.id && walk_is_over(h, viewer->now_ms))
            forget_walk(h);
        if (!h->walk.paged.id)
            free_one = h;
        else if (h->is_through)
            through = h;
        else
            *owned += ids_paged_is_of(&h->walk.paged, viewer);
    }
    return free_one ? free_one : through;
}

static held *begin_walk(ids_walks *walks, const idp_request *request,
                        const ids_viewer *viewer, const char **text) {
    uint32_t owned;
    held *h = find_walk_place(walks, viewer, &owned);
    if (!h) {
        *text = "all walks are taken; ask again";
        return NULL;
    }
    if (owned >= IDS_WALKS_A_USER) {
        *text = "this credential has four walks under way; end one, or let it "
                "rest for a minute";
        return NULL;
    }
    forget_walk(h);
    ids_paged_begin(&h->walk.paged, request, viewer);
    h->walk.state = request->state;
    h->walk.older_ms = request->older_ms;
    h->walk.oldest = request->oldest;
    h->begun_ms = viewer->now_ms;
    return h;
}

/* One that goes on ------------------------------------------------------ */

static held *go_on_walking(ids_walks *walks, const idp_request *request,
                           const ids_viewer *viewer, const char **text) {
    uint64_t id;
    uint32_t page;
    held *h = ids_cursor_read(request->cursor, &id, &page)
                  ? find_walk(walks, id)
                  : NULL;
    if (!h || walk_is_over(h, viewer->now_ms) ||
        !ids_paged_is_of(&h->walk.paged, viewer)) {
        *text = "cursor: there is no such walk, or no more; begin anew";
        return NULL;
    }
    if (h->walk.paged.is_busy &&
        since(h->walk.paged.used_ms, viewer->now_ms) < IDS_WALK_LATE_MS) {
        *text = "cursor: a page of this walk is under way";
        return NULL;
    }
    ids_page_asked asked = ids_paged_ask(&h->walk.paged, page);
    if (asked == IDS_PAGE_BEHIND || (asked == IDS_PAGE_NEXT && h->is_through)) {
        *text = "cursor: this page is behind; begin anew";
        return NULL;
    }
    if (asked == IDS_PAGE_AGAIN) {
        h->walk.at = h->before;
        h->is_through = false;
    }
    return h;
}

idp_error ids_walks_ask(ids_walks *walks, const idp_request *request,
                        const ids_viewer *viewer, uint64_t *id, uint32_t *loop,
                        const char **text) {
    bool is_new = request->cursor.ptr == NULL;
    pthread_mutex_lock(&walks->lock);
    held *h = is_new ? begin_walk(walks, request, viewer, text)
                     : go_on_walking(walks, request, viewer, text);
    if (h) {
        ids_paged_work(&h->walk.paged, viewer);
        *id = h->walk.paged.id;
        *loop = h->walk.at.loop;
    }
    pthread_mutex_unlock(&walks->lock);
    if (h)
        return IDP_OK;
    return is_new ? IDP_E_LIMIT : IDP_E_BAD_REQUEST;
}

bool ids_walks_find(ids_walks *walks, uint64_t id, ids_walk *walk) {
    pthread_mutex_lock(&walks->lock);
    const held *h = find_walk(walks, id);
    bool is_busy = h && h->walk.paged.is_busy;
    if (is_busy) {
        *walk = h->walk;
        walk->paged = ids_paged_copy(&h->walk.paged);
    }
    pthread_mutex_unlock(&walks->lock);
    return is_busy;
}

void ids_walks_went(ids_walks *walks, uint64_t id, const ids_walk_at *next,
                    bool is_over, char cursor[static IDS_CURSOR_BYTES]) {
    pthread_mutex_lock(&walks->lock);
    held *h = find_walk(walks, id);
    if (h && is_over && h->walk.paged.page == 0) {
        forget_walk(h); /* nobody has its cursor */
    } else if (h) {
        h->before = h->walk.at;
        h->walk.at = *next;
        h->is_through = is_over;
        ids_paged_went(&h->walk.paged, cursor);
        if (is_over)
            *cursor = '\0';
    }
    pthread_mutex_unlock(&walks->lock);
}

void ids_walks_failed(ids_walks *walks, uint64_t id) {
    pthread_mutex_lock(&walks->lock);
    held *h = find_walk(walks, id);
    if (h && h->walk.paged.page == 0)
        forget_walk(h); /* nobody has its cursor */
    else if (h)
        ids_paged_rest(&h->walk.paged);
    pthread_mutex_unlock(&walks->lock);
}
