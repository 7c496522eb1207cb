/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_conn.c -- any bytes, in any pieces, on three connections of two loops.
 *
 * The input is a script: a byte says which connection and what to do, the
 * next how much of it. Whatever happens: no assert, nothing read or written
 * out of bounds, every buffer accounted for, all memory given back. In
 * fuzz_conn bytes come as they are, in fuzz_conn_tls (fuzz_conn_seal.c) there
 * is TLS between. */
#include "tests/fuzz/fuzz_conn.h"

#include "server/base/log.h"
#include "server/line/reader.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define CALLERS         3
#define BYTES_HEARD_MAX (1u << 20)

enum { SEND = 0, SEND_TOO, WAIT, REOPEN, TAKE, HOLD, END, FINISH, DRAIN };

static harness t;
static caller callers[CALLERS];

static void begin(uint8_t how) {
    harness_plan(&t, 2);
    t.server.result_bytes_max = 48;
    t.server.buffer_bytes_max = how & 1 ? 2048 : 64u << 10;
    t.server.unsent_bytes_max = how & 2 ? 700 : 32u << 10;
    if (how & 4)
        harness_demand(&t, "s");
    fuzz_wire_begin(&t, how);
    harness_open(&t);
    for (uint32_t i = 0; i < CALLERS; i++)
        caller_open(&callers[i], &t, i % 2);
}

static void reopen(caller *c, uint8_t amount) {
    caller_close(c);
    caller_open(c, &t, amount % 2);
}

static void change(caller *c, int what, uint8_t amount) {
    ids_worker *worker = t.workers[c->loop];
    if (c->travels && what != HOLD)
        return;
    switch (what) {
    case WAIT:
        harness_pass(&t, (uint64_t)amount * 10);
        break;
    case REOPEN:
        reopen(c, amount);
        break;
    case TAKE:
        c->takes = amount == 255 ? SIZE_MAX : amount;
        break;
    case HOLD:
        t.keep_messages = amount & 1;
        break;
    case END:
        if (c->conn)
            ids_reader_end(t.lines[c->loop], c->conn);
        break;
    case FINISH:
        if (c->conn)
            ids_conn_finish(worker, c->conn);
        break;
    case DRAIN:
        if (amount == 77)
            ids_line_drain(t.lines[c->loop]);
        break;
    default:
        break;
    }
    if (c->conn && !c->travels)
        ids_worker_mark(t.workers[c->loop], c->conn);
    harness_run(&t);
}

static void finish(void) {
    t.keep_messages = false;
    for (int i = 0; i < CALLERS; i++)
        caller_close(&callers[i]);
    for (uint32_t i = 0; i < t.server.loops; i++)
        assert(t.workers[i]->buffers.bytes == 0);
    harness_close(&t);
    fuzz_wire_end(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len < 1)
        return 0;
    ids_log_set_level(IDS_LOG_ERROR);
    begin(bytes[0]);
    for (size_t at = 1; at + 2 <= len;) {
        caller *c = &callers[bytes[at] % CALLERS];
        uint8_t what_byte = bytes[at];
        int what = what_byte / CALLERS % 10;
        uint8_t amount = bytes[at + 1];
        at += 2;
        if (what > SEND_TOO) {
            change(c, what, amount);
            continue;
        }
        size_t part = amount < len - at ? amount : len - at;
        bool reads = c->conn && !c->travels && !ids_conn_is_stalled(c->conn) &&
                     !c->conn->ended;
        if (reads && c->got.len < BYTES_HEARD_MAX)
            fuzz_wire_say(c, what_byte / (CALLERS * 10), bytes + at, part);
        at += part;
    }
    finish();
    return 0;
}
