/* SPDX-License-Identifier: Apache-2.0 */
/* record.c -- see the header. Headers have one length, so that they can be
 * filled in once it is known what stands behind them. */
#include "client/ctl/record.h"

#include "proto/cursor.h"
#include "proto/put.h"

#include <stdlib.h>

#define VERSION     1
#define HEAD_BYTES  10 /* [4] 1, u16, array32 */
#define TAIL_BYTES  PUT_UINT_BYTES_MAX
/* [2] stream, bin32 */
#define PIECE_BYTES 7

void record_init(record *r, size_t result_bytes_max) {
    *r = (record){.result_bytes_max = result_bytes_max, .len = HEAD_BYTES};
}

void record_fini(record *r) {
    free(r->bytes);
    r->bytes = NULL;
}

static void drop(record *r) {
    record_fini(r);
    r->dropped = true;
}

static bool reserve_record(record *r, size_t more) {
    size_t need = r->len + more;
    if (need + TAIL_BYTES > r->result_bytes_max)
        return false;
    need += TAIL_BYTES;
    if (need <= r->cap)
        return true;
    size_t cap = r->cap == 0 ? 4096 : 2 * r->cap;
    if (cap < need)
        cap = need;
    uint8_t *moved = realloc(r->bytes, cap);
    if (moved == NULL)
        return false;
    r->bytes = moved;
    r->cap = cap;
    return true;
}

static void begin_piece(record *r, int stream) {
    r->piece_at = r->len;
    r->stream = stream;
    r->pieces++;
    r->len += PIECE_BYTES;
}

static void put_piece_header(record *r) {
    uint8_t *to =
        put_uint(put_array(r->bytes + r->piece_at, 2), (uint64_t)r->stream);
    put_be32(put_u8(to, 0xc6), (uint32_t)(r->len - r->piece_at - PIECE_BYTES));
}

void record_add(record *r, int stream, const uint8_t *bytes, size_t len) {
    r->whole_bytes += len;
    if (r->dropped || len == 0)
        return;
    bool goes_on = r->pieces > 0 && r->stream == stream;
    if (!reserve_record(r, len + (goes_on ? 0 : PIECE_BYTES))) {
        drop(r);
        return;
    }
    if (!goes_on)
        begin_piece(r, stream);
    put_raw(r->bytes + r->len, bytes, len);
    r->len += len;
    put_piece_header(r);
}

static uint8_t *put_code(uint8_t *to, int exit_code) {
    return put_be16(put_u8(put_uint(put_array(to, 4), VERSION), 0xcd),
                    (uint16_t)exit_code);
}

const uint8_t *record_end(record *r, int exit_code, size_t *len) {
    if (!r->dropped && !reserve_record(r, 0))
        drop(r);
    uint8_t *at = r->dropped ? r->small : r->bytes;
    uint8_t *to = put_code(at, exit_code);
    if (r->dropped) {
        to = put_nil(to);
    } else {
        put_be32(put_u8(to, 0xdd), r->pieces);
        to = at + r->len;
    }
    to = put_uint(to, r->whole_bytes);
    *len = (size_t)(to - at);
    return at;
}

/* ----------------------------------------------------------------- reading */

static bool read_pieces(cursor *c, record_piece *piece, void *ctx) {
    uint32_t count, parts, stream;
    idp_slice bytes;
    if (!cursor_array(c, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cursor_array(c, &parts) || parts != 2 || !cursor_u32(c, &stream) ||
            (stream != 1 && stream != 2) || !cursor_bytes(c, &bytes))
            return false;
        if (piece != NULL)
            piece(ctx, (int)stream, bytes.ptr, bytes.len);
    }
    return true;
}

static bool parse(cursor c, record_read *is, record_piece *piece, void *ctx) {
    uint32_t count, version, code;
    if (!cursor_array(&c, &count) || count != 4 || !cursor_u32(&c, &version) ||
        version != VERSION || !cursor_u32(&c, &code) || code > 255)
        return false;
    is->exit_code = (int)code;
    is->dropped = cursor_nil(&c);
    return (is->dropped || read_pieces(&c, piece, ctx)) &&
           cursor_uint(&c, &is->whole_bytes) && cursor_left(&c) == 0;
}

/* Nothing of it is shown before all of it has been looked at. */
bool record_parse(const uint8_t *bytes, size_t len, record_read *is,
                  record_piece *piece, void *ctx) {
    cursor c = cursor_over((idp_slice){bytes, len});
    return parse(c, is, NULL, NULL) && parse(c, is, piece, ctx);
}
