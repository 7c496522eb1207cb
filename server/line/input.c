/* SPDX-License-Identifier: Apache-2.0 */
/* input.c -- where a connection's bytes are received; see input.h. */
#include "server/line/input.h"

#include <assert.h>
#include <string.h>

/* At least so much is to come of a request that is received in place. */
#define LARGE_BYTES     (24u << 10)
#define READ_BYTES_MAX  (256u << 10)
#define SPARE_BYTES_MIN (128u << 10)
#define SPARE_BYTES_MAX (2u << 20)
#define SPARE_MS        1000

static bool is_large(const ids_conn *conn) {
    return conn->life == IDS_CONN_SERVED && !conn->room.is_wanted &&
           !conn->reading.skip && conn->reading.in.len &&
           conn->reading.need > conn->reading.in.len + LARGE_BYTES;
}

/* Moves what there is to a spare buffer that has room for all. */
static bool take_spare(ids_spare_inputs *spares, ids_conn *conn) {
    uint32_t i = spares->count;
    while (i && spares->of[i - 1].cap < conn->reading.need)
        i--;
    if (!i)
        return false;
    idp_bytes spare = spares->of[i - 1];
    spares->of[i - 1] = spares->of[--spares->count];
    memcpy(spare.ptr, conn->reading.in.ptr, conn->reading.in.len);
    spare.len = conn->reading.in.len;
    idp_bytes_free(&conn->reading.in);
    conn->reading.in = spare;
    return true;
}

static bool reserve_input(ids_line *line, ids_conn *conn, size_t more) {
    return more <= conn->reading.in.cap - conn->reading.in.len ||
           take_spare(&line->spare, conn) ||
           idp_bytes_reserve(&conn->reading.in, more);
}

size_t ids_input_max(const ids_line *line) {
    const ids_buffers *buffers = &line->worker.buffers;
    if (buffers->bytes <= buffers->bytes_max / 2)
        return IDS_INPUT_BYTES;
    if (buffers->bytes <= buffers->bytes_max / 4 * 3 || !line->for_room.head)
        return IDS_INPUT_BYTES_LOW;
    return 0;
}

ids_input ids_input_room(ids_line *line, ids_conn *conn) {
    ids_input input = {.ptr = ids_line_input_room(line),
                       .max = ids_input_max(line)};
    if (input.max < IDS_INPUT_BYTES || !is_large(conn))
        return input;
    size_t more = conn->reading.need - conn->reading.in.len;
    more = more < conn->reading.in.len + IDS_INPUT_BYTES
               ? more
               : conn->reading.in.len + IDS_INPUT_BYTES;
    more = more < READ_BYTES_MAX ? more : READ_BYTES_MAX;
    if (!ids_buffers_have_room(&line->worker.buffers, more) ||
        !reserve_input(line, conn, more))
        return input;
    assert(more <= conn->reading.in.cap - conn->reading.in.len);
    return (ids_input){conn->reading.in.ptr + conn->reading.in.len, more, true};
}

void ids_input_give_back(ids_line *line, idp_bytes *buffer) {
    ids_spare_inputs *spares = &line->spare;
    if (buffer->cap < SPARE_BYTES_MIN || buffer->cap > SPARE_BYTES_MAX ||
        spares->count == IDS_SPARE_INPUTS) {
        idp_bytes_free(buffer);
        return;
    }
    buffer->len = 0;
    spares->of[spares->count++] = *buffer;
    spares->since_ms = line->worker.now_ms;
    *buffer = (idp_bytes){0};
}

uint64_t ids_input_next_ms(const ids_spare_inputs *spares) {
    return spares->count ? spares->since_ms + SPARE_MS : UINT64_MAX;
}

void ids_input_tick(ids_spare_inputs *spares, uint64_t now_ms) {
    if (ids_input_next_ms(spares) <= now_ms)
        ids_input_fini(spares);
}

void ids_input_fini(ids_spare_inputs *spares) {
    while (spares->count)
        idp_bytes_free(&spares->of[--spares->count]);
}
