/* SPDX-License-Identifier: Apache-2.0 */
/* input.c -- where a connection's bytes are received; see input.h. */
#include "server/input.h"

#include "server/desk.h"

#include <assert.h>
#include <string.h>

/* At least so much is to come of a request that is received in place. */
#define LARGE_BYTES     (24u << 10)
#define READ_BYTES_MAX  (256u << 10)
#define SPARE_BYTES_MIN (128u << 10)
#define SPARE_BYTES_MAX (2u << 20)
#define SPARE_MS        1000

static bool is_large(const ids_conn *conn) {
    return conn->life == IDS_CONN_SERVED && !conn->wants_room && !conn->skip &&
           conn->in.len && conn->need > conn->in.len + LARGE_BYTES;
}

/* Moves what there is to a spare buffer that has room for all. */
static bool take_spare(ids_desk *desk, ids_conn *conn) {
    uint32_t i = desk->spare_inputs;
    while (i && desk->spare_input[i - 1].cap < conn->need)
        i--;
    if (!i)
        return false;
    ids_bytes spare = desk->spare_input[i - 1];
    desk->spare_input[i - 1] = desk->spare_input[--desk->spare_inputs];
    memcpy(spare.ptr, conn->in.ptr, conn->in.len);
    spare.len = conn->in.len;
    ids_bytes_free(&conn->in);
    conn->in = spare;
    return true;
}

static bool reserve(ids_desk *desk, ids_conn *conn, size_t more) {
    return more <= conn->in.cap - conn->in.len || take_spare(desk, conn) ||
           ids_bytes_reserve(&conn->in, more);
}

ids_input ids_input_room(ids_desk *desk, ids_conn *conn) {
    ids_input input = {.ptr = ids_desk_input_room(desk),
                       .max = ids_desk_read_max(desk)};
    if (input.max < IDS_INPUT_BYTES || !is_large(conn))
        return input;
    size_t more = conn->need - conn->in.len;
    more = more < conn->in.len + IDS_INPUT_BYTES
               ? more
               : conn->in.len + IDS_INPUT_BYTES;
    more = more < READ_BYTES_MAX ? more : READ_BYTES_MAX;
    if (desk->buffered_bytes + more > desk->house->buffer_bytes_max ||
        !reserve(desk, conn, more))
        return input;
    return (ids_input){conn->in.ptr + conn->in.len, more, true};
}

void ids_input_received(ids_desk *desk, ids_conn *conn, const ids_input *input,
                        size_t len) {
    if (!input->in_place) {
        ids_conn_input(desk, conn, len);
        return;
    }
    assert(len <= input->max);
    conn->received += len;
    conn->in.len += len;
    desk->buffered_bytes += len;
    if (conn->in.len >= conn->need)
        ids_conn_resume(desk, conn);
}

void ids_input_give_back(ids_desk *desk, ids_bytes *buffer) {
    if (buffer->cap < SPARE_BYTES_MIN || buffer->cap > SPARE_BYTES_MAX ||
        desk->spare_inputs == IDS_SPARE_INPUTS) {
        ids_bytes_free(buffer);
        return;
    }
    buffer->len = 0;
    desk->spare_input[desk->spare_inputs++] = *buffer;
    desk->spare_input_ms = desk->now_ms;
    *buffer = (ids_bytes){0};
}

void ids_input_look(ids_desk *desk) {
    if (desk->now_ms < desk->spare_input_ms + SPARE_MS)
        return;
    while (desk->spare_inputs)
        ids_bytes_free(&desk->spare_input[--desk->spare_inputs]);
}
