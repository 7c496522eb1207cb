/* SPDX-License-Identifier: Apache-2.0 */
/* shared.c -- a reply's bytes that several askers get; see shared.h. */
#include "server/shared.h"

#include "proto/reply.h"
#include "server/desk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

ids_shared *ids_shared_new(ids_desk *desk, size_t cap) {
    size_t size = sizeof(ids_shared) + cap;
    if (desk->buffered_bytes + size > desk->house->buffer_bytes_max ||
        cap > UINT32_MAX)
        return NULL;
    ids_shared *shared = malloc(size);
    if (!shared)
        return NULL;
    *shared = (ids_shared){.refs = 1, .cap = (uint32_t)cap};
    desk->buffered_bytes += size;
    return shared;
}

void ids_shared_set_reply(ids_shared *shared, size_t bytes) {
    assert(bytes > IDP_REPLY_BEGIN_ZERO_BYTES && bytes <= shared->cap);
    shared->from = IDP_REPLY_BEGIN_ZERO_BYTES;
    shared->len = (uint32_t)bytes - shared->from;
}

void ids_shared_unref(ids_desk *desk, ids_shared *shared) {
    if (!shared)
        return;
    assert(shared->refs > 0);
    if (--shared->refs > 0)
        return;
    desk->buffered_bytes -= sizeof *shared + shared->cap;
    free(shared);
}

bool ids_deferred_put(ids_desk *desk, ids_deferred_list *list, ids_shared *rest,
                      uint32_t msgid) {
    const ids_deferred one = {.rest = rest, .msgid = msgid};
    if (!ids_bytes_append(&list->bytes, &one, sizeof one))
        return false;
    ids_shared_ref(rest);
    desk->buffered_bytes += sizeof one;
    return true;
}

bool ids_deferred_take(ids_desk *desk, ids_deferred_list *list,
                       ids_deferred *first) {
    if (list->at == list->bytes.len)
        return false;
    memcpy(first, list->bytes.ptr + list->at, sizeof *first);
    ids_bytes_take(&list->bytes, &list->at, sizeof *first);
    desk->buffered_bytes -= sizeof *first;
    if (!list->bytes.len)
        ids_bytes_free(&list->bytes);
    return true;
}

void ids_deferred_clear(ids_desk *desk, ids_deferred_list *list) {
    ids_deferred first;
    while (ids_deferred_take(desk, list, &first))
        ids_shared_unref(desk, first.rest);
}
