/* SPDX-License-Identifier: Apache-2.0 */
/* gather.c -- see gather.h. */
#include "server/line/gather.h"

#include "proto/request.h"
#include "server/line/dispatch.h"
#include "server/line/input.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool ids_gather_init(ids_gather *gather) {
    gather->bytes = malloc(IDS_GATHERED_MAX * IDS_GATHERED_BYTES);
    return gather->bytes != NULL;
}

void ids_gather_fini(ids_gather *gather) {
    assert(!gather->count);
    free(gather->bytes);
}

static uint8_t *next_room(const ids_gather *gather) {
    assert(!ids_gather_is_full(gather));
    return gather->bytes + gather->count * IDS_GATHERED_BYTES;
}

uint8_t *ids_gather_room(ids_line *line, const ids_conn *conn) {
    const ids_conn_reading *reading = &conn->reading;
    bool may = reading->alone && conn->life == IDS_CONN_SERVED &&
               !reading->in.len && !reading->skip && !reading->oversize &&
               !reading->gathered && !conn->ended &&
               ids_input_max(line) == IDS_INPUT_BYTES;
    return may ? next_room(&line->gather) : NULL;
}

bool ids_gather_take(ids_line *line, ids_conn *conn, size_t len) {
    ids_gather *gather = &line->gather;
    const idp_read_limits limits = {line->worker.server->result_bytes_max};
    ids_item *item = &gather->items[gather->count];
    uint8_t *bytes = next_room(gather);
    size_t frame_bytes;
    idp_read_fault fault;
    assert(len > 0 && len <= IDS_GATHERED_BYTES);
    if (idp_request_read(bytes, len, &limits, &item->request, &frame_bytes,
                         &fault) != IDP_READ_WHOLE ||
        frame_bytes != len || item->request.method == IDP_HELLO) {
        conn->reading.alone = false;
        memcpy(ids_line_input_room(line), bytes, len);
        return false;
    }
    item->frame = bytes;
    item->frame_bytes = (uint32_t)len;
    item->request.result_too_large = false;
    ids_dispatch_prepare(&line->worker, item);
    ids_dispatch_expect(line, item);
    conn->reading.received += len;
    conn->reading.gathered = true;
    gather->conns[gather->count++] = conn;
    return true;
}

void ids_gather_forget(ids_gather *gather, ids_conn *conn) {
    if (!conn->reading.gathered)
        return;
    conn->reading.gathered = false;
    for (uint32_t i = 0; i < gather->count; i++)
        if (gather->conns[i] == conn)
            gather->conns[i] = NULL;
}
