/* SPDX-License-Identifier: Apache-2.0 */
/* held.c -- the marks of replies that are held; see held.h. */
#include "server/held.h"

#include <assert.h>
#include <stdlib.h>

/* What the queue may keep when it is empty. */
#define MARKS_BYTES_KEPT (256u << 10)

bool ids_held_reserve(ids_hold *hold) {
    return ids_bytes_reserve(&hold->marks, sizeof(ids_held));
}

void ids_held_push(ids_hold *hold, const ids_held *mark) {
    assert(mark->number == hold->changes);
    assert(ids_hold_is_needed(hold));
    bool marked = ids_bytes_append(&hold->marks, mark, sizeof *mark);
    assert(marked); /* there was room: ids_held_reserve */
    (void)marked;
    hold->replies++;
}

const ids_held *ids_held_end(const ids_hold *hold) {
    return (const ids_held *)(void *)(hold->marks.ptr + hold->marks.len);
}

void ids_held_drop(ids_hold *hold, uint32_t count) {
    size_t bytes = count * sizeof(ids_held);
    assert(hold->marks_at + bytes <= hold->marks.len);
    ids_bytes_take(&hold->marks, &hold->marks_at, bytes);
    if (!hold->marks.len && hold->marks.cap > MARKS_BYTES_KEPT)
        ids_bytes_free(&hold->marks);
}

uint64_t ids_hold_oldest_ms(const ids_hold *hold) {
    const ids_held *first = ids_held_first(hold);
    return first ? first->since_ms : UINT64_MAX;
}

void ids_held_fini(ids_hold *hold, uint32_t loops) {
    for (uint32_t i = 0; hold->mail && i < loops; i++)
        ids_bytes_free(&hold->mail[i].parcel.mail);
    free(hold->mail);
    ids_bytes_free(&hold->marks);
}
