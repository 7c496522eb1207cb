/* SPDX-License-Identifier: Apache-2.0 */
/* shared.h -- a reply's bytes that several askers get, made once.
 *
 * All of a reply but its first bytes, up to the msgid (proto/reply.h): a result
 * that many wait for, the answer to stats. Counted references within one
 * worker, so no lock. */
#ifndef IDS_SHARED_H
#define IDS_SHARED_H

#include "proto/terms.h"
#include "server/worker/buffers.h"

typedef struct ids_shared {
    uint32_t refs;
    uint32_t cap;
    uint32_t from, len; /* what of the bytes it is */
    uint8_t bytes[];
} ids_shared;

static inline idp_slice ids_shared_rest(const ids_shared *shared) {
    return (idp_slice){shared->bytes + shared->from, shared->len};
}

/* A reply that is to be written for this msgid. */
typedef struct ids_deferred {
    ids_shared *rest;
    uint32_t msgid;
} ids_deferred;

/* With one reference and room for cap bytes, which count among the worker's
 * buffers. NULL: no memory, or the buffers are full. */
ids_shared *ids_shared_new(ids_buffers *buffers, size_t cap);

/* What was written into it from its first byte on is a whole reply of so many
 * bytes to msgid 0. */
void ids_shared_set_reply(ids_shared *shared, size_t bytes);
static inline ids_shared *ids_shared_ref(ids_shared *shared) {
    shared->refs++;
    return shared;
}
/* NULL is nobody's. */
void ids_shared_unref(ids_buffers *buffers, ids_shared *shared);

/* A queue of ids_deferred: put at its end, taken at its head. One by itself
 * takes no memory: of thousands who wait for one key each has but that. */
typedef struct ids_deferred_list {
    ids_deferred first; /* before all others; rest NULL: in none */
    idp_bytes bytes;
    size_t at;
} ids_deferred_list;

static inline uint32_t ids_deferred_count(const ids_deferred_list *list) {
    return (uint32_t)((list->bytes.len - list->at) / sizeof(ids_deferred)) +
           (list->first.rest != NULL);
}

/* Takes a reference of its own. False: no memory. */
bool ids_deferred_put(ids_buffers *buffers, ids_deferred_list *list,
                      ids_shared *rest, uint32_t msgid);

/* The reference is the caller's now. False: there is none. */
bool ids_deferred_take(ids_buffers *buffers, ids_deferred_list *list,
                       ids_deferred *first);
void ids_deferred_clear(ids_buffers *buffers, ids_deferred_list *list);

#endif
