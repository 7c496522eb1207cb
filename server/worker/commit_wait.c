/* SPDX-License-Identifier: Apache-2.0 */
/* commit_wait.c -- the marks of replies that are held; see commit_wait.h. */
#include "server/worker/commit_wait.h"

#include <assert.h>
#include <stdlib.h>

/* What the queue may keep when it is empty. */
#define MARKS_BYTES_KEPT (256u << 10)

bool ids_commit_wait_reserve(ids_commit_gate *gate) {
    return idp_bytes_reserve(&gate->marks, sizeof(ids_commit_wait));
}

void ids_commit_wait_push(ids_commit_gate *gate, const ids_commit_wait *mark) {
    assert(mark->number == gate->changes);
    assert(ids_commit_gate_is_needed(gate));
    bool marked = idp_bytes_append(&gate->marks, mark, sizeof *mark);
    assert(marked); /* there was room: ids_commit_wait_reserve */
    (void)marked;
    gate->replies++;
}

const ids_commit_wait *ids_commit_wait_end(const ids_commit_gate *gate) {
    return (const ids_commit_wait *)(void *)(gate->marks.ptr + gate->marks.len);
}

void ids_commit_wait_drop(ids_commit_gate *gate, uint32_t count) {
    size_t bytes = count * sizeof(ids_commit_wait);
    assert(gate->marks_at + bytes <= gate->marks.len);
    idp_bytes_take(&gate->marks, &gate->marks_at, bytes);
    if (!gate->marks.len && gate->marks.cap > MARKS_BYTES_KEPT)
        idp_bytes_free(&gate->marks);
}

uint64_t ids_commit_gate_oldest_ms(const ids_commit_gate *gate) {
    const ids_commit_wait *first = ids_commit_wait_first(gate);
    return first ? first->since_ms : UINT64_MAX;
}

void ids_commit_wait_fini(ids_commit_gate *gate, uint32_t loops) {
    for (uint32_t i = 0; gate->message && i < loops; i++)
        idp_bytes_free(&gate->message[i].batch.message);
    free(gate->message);
    idp_bytes_free(&gate->marks);
}
