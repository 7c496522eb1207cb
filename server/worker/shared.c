/* SPDX-License-Identifier: Apache-2.0 */
/* shared.c -- a reply's bytes that several askers get; see shared.h. */
#include "server/worker/shared.h"

#include "proto/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

ids_shared *ids_shared_new(ids_buffers *buffers, size_t cap) {
    size_t size = sizeof(ids_shared) + cap;
    if (!ids_buffers_have_room(buffers, size) || cap > UINT32_MAX)
        return NULL;
    ids_shared *shared = malloc(size);
    if (!shared)
        return NULL;
    *shared = (ids_shared){.refs = 1, .cap = (uint32_t)cap};
    buffers->bytes += size;
    return shared;
}

void ids_shared_set_reply(ids_shared *shared, size_t bytes) {
    assert(bytes > IDP_REPLY_BEGIN_ZERO_BYTES && bytes <= shared->cap);
    shared->from = IDP_REPLY_BEGIN_ZERO_BYTES;
    shared->len = (uint32_t)bytes - shared->from;
}

void ids_shared_unref(ids_buffers *buffers, ids_shared *shared) {
    if (!shared)
        return;
    assert(shared->refs > 0);
    if (--shared->refs > 0)
        return;
    buffers->bytes -= sizeof *shared + shared->cap;
    free(shared);
}

bool ids_deferred_put(ids_buffers *buffers, ids_deferred_list *list,
                      ids_shared *rest, uint32_t msgid) {
    const ids_deferred one = {.rest = rest, .msgid = msgid};
    if (!ids_deferred_count(list))
        list->first = one;
    else if (!idp_bytes_append(&list->bytes, &one, sizeof one))
        return false;
    ids_shared_ref(rest);
    buffers->bytes += sizeof one;
    return true;
}

bool ids_deferred_take(ids_buffers *buffers, ids_deferred_list *list,
                       ids_deferred *first) {
    if (list->first.rest) {
        *first = list->first;
        list->first.rest = NULL;
        buffers->bytes -= sizeof *first;
        return true;
    }
    if (list->at == list->bytes.len)
        return false;
    memcpy(first, list->bytes.ptr + list->at, sizeof *first);
    idp_bytes_take(&list->bytes, &list->at, sizeof *first);
    buffers->bytes -= sizeof *first;
    if (!list->bytes.len)
        idp_bytes_free(&list->bytes);
    return true;
}

void ids_deferred_clear(ids_buffers *buffers, ids_deferred_list *list) {
    ids_deferred first;
    while (ids_deferred_take(buffers, list, &first))
        ids_shared_unref(buffers, first.rest);
}
