/* SPDX-License-Identifier: Apache-2.0 */
/* walks.c -- see walks.h. */
#include "server/admin/walks.h"

#include <sodium.h>

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct held {
    ids_walk walk;
    ids_walk_at before; /* where the page began that was made last */
    char owner[IDP_USER_BYTES_MAX + 1];
    uint64_t begun_ms, used_ms;
    bool is_busy, was_last;
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

void ids_walk_drop(ids_walk *walk) {
    ids_credentials_drop(walk->version);
    walk->version = NULL;
    walk->user = NULL;
}

static void forget_walk(held *h) {
    ids_walk_drop(&h->walk);
    *h = (held){.walk = {.id = 0}};
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
    return since(h->used_ms, now_ms) >= IDS_WALK_IDLE_MS ||
           since(h->begun_ms, now_ms) >= IDS_WALK_MS_MAX;
}

static void forget_old(ids_walks *walks, uint64_t now_ms) {
    for (uint32_t i = 0; i < walks->count; i++)
        if (walks->all[i].walk.id && walk_is_over(&walks->all[i], now_ms))
            forget_walk(&walks->all[i]);
}

static held *find_walk(ids_walks *walks, uint64_t id) {
    for (uint32_t i = 0; id && i < walks->count; i++)
        if (walks->all[i].walk.id == id)
            return &walks->all[i];
    return NULL;
}

static const char *asker_name_of(const ids_walk_asker *asker) {
    return asker->user ? asker->user->name : "";
}

/* A new one ------------------------------------------------------------- */

static uint32_t owner_walks_count(const ids_walks *walks, const char *owner) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < walks->count; i++)
        count +=
            walks->all[i].walk.id && strcmp(walks->all[i].owner, owner) == 0;
    return count;
}

static ids_walk_for what_of(const idp_request *request) {
    ids_walk_for what = {.state = request->state,
                         .older_ms = request->older_ms,
                         .has_ns = request->ns.ptr != NULL,
                         .oldest = request->oldest,
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

static held *begin(ids_walks *walks, const idp_request *request,
                   const ids_walk_asker *asker, const char **text) {
    held *free_one = NULL;
    forget_old(walks, asker->now_ms);
    for (uint32_t i = 0; i < walks->count && !free_one; i++)
        if (!walks->all[i].walk.id)
            free_one = &walks->all[i];
    if (!free_one) {
        *text = "all walks are taken; ask again";
        return NULL;
    }
    if (owner_walks_count(walks, asker_name_of(asker)) >= IDS_WALKS_A_USER) {
        *text = "this credential has four walks under way; end one, or let it "
                "rest for a minute";
        return NULL;
    }
    do
        randombytes_buf(&free_one->walk.id, sizeof free_one->walk.id);
    while (!free_one->walk.id);
    free_one->walk.what = what_of(request);
    free_one->begun_ms = asker->now_ms;
    snprintf(free_one->owner, sizeof free_one->owner, "%s",
             asker_name_of(asker));
    return free_one;
}

/* One that goes on ------------------------------------------------------ */

bool ids_cursor_read(idp_slice cursor, uint64_t *id, uint32_t *page) {
    char text[IDS_CURSOR_BYTES];
    char *end;
    if (cursor.len < 18 || cursor.len >= sizeof text ||
        memchr(cursor.ptr, '\0', cursor.len))
        return false;
    memcpy(text, cursor.ptr, cursor.len);
    text[cursor.len] = '\0';
    if (strspn(text, "0123456789abcdef") != 16 || text[16] != '.' ||
        strspn(text + 17, "0123456789") != cursor.len - 17 || cursor.len > 25)
        return false;
    *id = strtoull(text, NULL, 16);
    *page = (uint32_t)strtoul(text + 17, &end, 10);
    return *end == '\0';
}

static held *go_on(ids_walks *walks, const idp_request *request,
                   const ids_walk_asker *asker, const char **text) {
    uint64_t id;
    uint32_t page;
    held *h = ids_cursor_read(request->cursor, &id, &page)
                  ? find_walk(walks, id)
                  : NULL;
    if (!h || walk_is_over(h, asker->now_ms) ||
        strcmp(h->owner, asker_name_of(asker)) != 0) {
        *text = "cursor: there is no such walk, or no more; begin anew";
        return NULL;
    }
    if (h->is_busy && since(h->used_ms, asker->now_ms) < IDS_WALK_LATE_MS) {
        *text = "cursor: a page of this walk is under way";
        return NULL;
    }
    if (page + 1 == h->walk.page) { /* its answer was lost */
        h->walk.page = page;
        h->walk.at = h->before;
    } else if (page != h->walk.page || h->was_last) {
        *text = "cursor: this page is behind; begin anew";
        return NULL;
    }
    return h;
}

idp_error ids_walks_ask(ids_walks *walks, const idp_request *request,
                        const ids_walk_asker *asker, uint64_t *id,
                        uint32_t *loop, const char **text) {
    bool is_new = request->cursor.ptr == NULL;
    pthread_mutex_lock(&walks->lock);
    held *h = is_new ? begin(walks, request, asker, text)
                     : go_on(walks, request, asker, text);
    if (h) {
        ids_walk_drop(&h->walk);
        if (asker->version)
            ids_credentials_hold(asker->version);
        h->walk.version = asker->version;
        h->walk.user = asker->user;
        h->used_ms = asker->now_ms;
        h->is_busy = true;
        h->was_last = false;
        *id = h->walk.id;
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
    if (h) {
        *walk = h->walk;
        if (walk->version)
            ids_credentials_hold(walk->version);
    }
    pthread_mutex_unlock(&walks->lock);
    return h != NULL;
}

void ids_walks_went(ids_walks *walks, uint64_t id, const ids_walk_at *next,
                    bool walk_is_over, char cursor[static IDS_CURSOR_BYTES]) {
    pthread_mutex_lock(&walks->lock);
    held *h = find_walk(walks, id);
    if (h && walk_is_over) {
        forget_walk(h);
    } else if (h) {
        h->before = h->walk.at;
        h->walk.at = *next;
        h->walk.page++;
        h->is_busy = false;
        snprintf(cursor, IDS_CURSOR_BYTES, "%016" PRIx64 ".%" PRIu32, id,
                 h->walk.page % 100000000);
    }
    pthread_mutex_unlock(&walks->lock);
}

void ids_walks_failed(ids_walks *walks, uint64_t id) {
    pthread_mutex_lock(&walks->lock);
    held *h = find_walk(walks, id);
    if (h && h->walk.page == 0)
        forget_walk(h); /* nobody has its cursor */
    else if (h)
        h->is_busy = false;
    pthread_mutex_unlock(&walks->lock);
}
