/* SPDX-License-Identifier: Apache-2.0 */
/* harness.c -- workers without sockets or threads. */
#include "tests/unit/server/harness.h"

#include "proto/owner.h"
#include "proto/request.h"
#include "server/line/admit.h"
#include "server/line/dispatch.h"
#include "server/line/reader.h"
#include "server/worker/commit_gate.h"
#include "server/worker/output.h"
#include "server/worker/take_role.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES 4096

static void adopt(void *ctx, ids_conn *conn) {
    const ids_line *line = *(ids_line **)ctx;
    caller *c = conn->link;
    c->loop = line->worker.index;
    c->travels = false;
}

static void refuse(void *ctx, ids_conn *conn) {
    (void)ctx;
    ((caller *)conn->link)->conn = NULL;
    ids_conn_free(conn);
}

static void notice(void *ctx, ids_notice what) {
    ids_line *line = *(ids_line **)ctx;
    assert(what == IDS_NOTICE_DRAIN);
    ids_line_drain(line);
}

/* a worker's harness: its server stands first in it. */
static harness *harness_of(void *ctx) {
    return (harness *)(uintptr_t)(*(ids_line **)ctx)->worker.server;
}

static void look_at_clock(void *ctx) {
    ids_line *line = *(ids_line **)ctx;
    const harness *t = harness_of(ctx);
    if (t->clock_ms > line->worker.now_ms)
        line->worker.now_ms = t->clock_ms;
}

/* Nobody is there to hand it to: the test looks at the change buffer itself. */
static void change_buffer_is_high(void *ctx) {
    (void)ctx;
}

static bool is_current(void *ctx, const ids_batch_tag *tag) {
    harness *t = harness_of(ctx);
    t->asked++;
    if (t->role_state)
        ids_worker_set_role(&(*(ids_line **)ctx)->worker, t->role_state);
    return tag->session == t->session;
}

static void wake(void *ctx, uint32_t loop) {
    (void)loop;
    ((harness *)ctx)->wakes++;
}

void harness_plan(harness *t, uint32_t loops) {
    *t = (harness){0};
    idt_mem_init(&t->mem);
    t->server.loops = loops;
    t->server.epoch = 7;
    t->server.version = "test";
    t->server.result_bytes_max = 1024;
    t->server.pending_max = 8;
    t->server.buffer_bytes_max = 64u << 10;
    t->server.unsent_bytes_max = 32u << 10;
    t->server.mailboxes = t->boxes;
    t->server.wake = wake;
    t->server.wake_ctx = t;
}

static void keep(ids_worker *worker) {
    const ids_journal_config config = {.fsync = IDS_FSYNC_ALWAYS,
                                       .backlog_bytes_max = 2000,
                                       .mark_ms = IDS_MARK_MS_DEFAULT,
                                       .now_ms = worker->now_ms,
                                       .free_bytes = UINT64_MAX};
    worker->journal = ids_journal_new(&config);
    assert(worker->journal);
    ids_commit_gate_release(worker, 0);
}

bool harness_sync(harness *t, uint32_t loop) {
    ids_worker *worker = t->workers[loop];
    const ids_batch *batch =
        ids_journal_hand_over(worker->journal, worker->now_ms);
    if (!batch)
        return false;
    const ids_batch_done done = {.written = batch->last,
                                 .durable = batch->last,
                                 .free_bytes = UINT64_MAX};
    ids_journal_done(worker->journal, &done);
    ids_commit_gate_release(
        worker, ids_journal_watermark(worker->journal, worker->now_ms));
    ids_commit_gate_set_full(worker, ids_journal_is_full(worker->journal));
    return true;
}

static void let_in(harness *t, ids_credentials *credentials) {
    assert(credentials);
    if (!t->server.access) {
        t->server.access = ids_access_new(credentials);
        assert(t->server.access);
        return;
    }
    ids_access_publish(t->server.access, credentials);
    ids_worker_tell_others(t->workers[0], IDS_NOTICE_CREDENTIALS);
    ids_admit_renew(t->lines[0]);
}

void harness_demand(harness *t, const char *secret) {
    const idp_slice shown = {(const uint8_t *)secret, strlen(secret)};
    let_in(t, ids_credentials_of_secret(shown));
}

void harness_credentials(harness *t, const char *lines) {
    char why[256] = "";
    let_in(t, ids_credentials_parse(lines, strlen(lines), why, sizeof why));
}

void harness_open(harness *t) {
    for (uint32_t i = 0; i < t->server.loops; i++) {
        const ids_line_config config = {
            .server = &t->server,
            .index = i,
            .driver = {.ctx = &t->lines[i],
                       .adopt = adopt,
                       .refuse = refuse,
                       .notice = notice,
                       .look_at_clock = look_at_clock},
            .worker_driver = {.ctx = &t->lines[i],
                              .change_buffer_is_high = change_buffer_is_high,
                              .is_current = is_current},
            .is_replicated = t->is_replicated,
            .memory_bytes_max = 64u << 20,
            .waiters_max = 100,
            .waiters_per_key_max = 50,
            .is_kept = t->is_kept,
            .mem = idt_mem_of(&t->mem),
        };
        bool good = ids_mailbox_init(&t->boxes[i], 4);
        t->lines[i] = ids_line_new(&config);
        assert(good && t->lines[i]);
        (void)good;
        t->workers[i] = &t->lines[i]->worker;
        t->workers[i]->now_ms = IDS_CLOCK_START_MS;
        if (t->is_kept)
            keep(t->workers[i]);
        else if (t->is_replicated && !t->is_new)
            ids_commit_gate_release(t->workers[i], UINT64_MAX);
    }
}

void harness_limit_buffers(harness *t, size_t bytes_max) {
    t->server.buffer_bytes_max = bytes_max;
    for (uint32_t i = 0; i < t->server.loops; i++)
        t->workers[i]->buffers.bytes_max = bytes_max;
}

void harness_close(harness *t) {
    for (uint32_t i = 0; i < t->server.loops; i++) {
        ids_journal_free(t->workers[i]->journal);
        ids_line_free(t->lines[i]);
    }
    for (uint32_t i = 0; i < t->server.loops; i++)
        ids_mailbox_fini(&t->boxes[i]);
    ids_access_free(t->server.access);
    t->server.access = NULL;
    assert(t->mem.blocks == 0);
}

static void part(caller *c) {
    if (c->harness->wire)
        c->harness->wire->part(c);
    ids_reader_drop(c->harness->lines[c->loop], c->conn);
}

static void leave(caller *c) {
    part(c);
    if (c->harness->wire)
        c->harness->wire->close(c);
    ids_conn_free(c->conn);
    c->conn = NULL;
}

/* One send's worth; returns what the socket took of it. */
static size_t send_some(caller *c) {
    const harness_wire *wire = c->harness->wire;
    idp_slice out = wire ? wire->output(c) : ids_output_sendable(c->conn);
    size_t taken = out.len < c->takes ? out.len : c->takes;
    if (wire && out.len)
        wire->sent(c, out, taken);
    if (taken && !wire) {
        idt_buf_add(&c->got, out.ptr, taken);
        ids_output_sent(c->harness->workers[c->loop], c->conn, taken);
    }
    c->sends += taken > 0;
    return taken;
}

static bool waits(caller *c, bool done) {
    return c->harness->wire && c->harness->wire->waits(c, done);
}

static void settle(ids_line *line, ids_conn *conn) {
    ids_worker *worker = &line->worker;
    caller *c = conn->link;
    size_t taken = 0;
    ids_output_fill(worker, conn);
    if (!ids_conn_is_dead(conn))
        taken = send_some(c);
    if (conn->life == IDS_CONN_PEER) {
        idt_buf_add(&c->behind, conn->reading.in.ptr, conn->reading.in.len);
        c->is_peer = true;
        leave(c);
    } else if (ids_conn_is_dead(conn) ||
               (ids_conn_is_done(conn) && !waits(c, true))) {
        leave(c);
    } else if (conn->life == IDS_CONN_MOVING && !ids_conn_unsent(conn) &&
               !waits(c, false)) {
        part(c);
        c->travels = true;
        bool given = ids_reader_give(line, conn, conn->reading.move_to);
        assert(given);
        (void)given;
    } else if (ids_conn_is_stalled(conn) &&
               ids_dispatch_may_serve(worker, conn)) {
        ids_reader_resume(line, conn);
        ids_worker_mark(worker, conn);
    } else if (taken && c->takes &&
               (ids_output_sendable(conn).len || waits(c, false) ||
                ids_deferred_count(&conn->out.later))) {
        ids_worker_mark(worker, conn);
    }
}

static bool run_line(ids_line *line) {
    ids_worker *worker = &line->worker;
    ids_conn *conn;
    bool busy = false;
    ids_line_begin_turn(line);
    while (line->drains_waiters)
        ids_line_tick(line, 0);
    ids_line_take_messages(line);
    while ((conn = ids_worker_next_dirty(worker))) {
        settle(line, conn);
        busy = true;
    }
    return busy;
}

void harness_run(harness *t) {
    bool busy = true;
    while (busy) {
        busy = false;
        for (uint32_t i = 0; i < t->server.loops; i++)
            busy |= run_line(t->lines[i]);
        for (uint32_t i = 0; i < t->server.loops && !t->keep_messages; i++) {
            busy |= ids_line_end_turn(t->lines[i]);
            busy |= t->workers[i]->post.count > 0;
            busy |= ids_worker_has_more(t->workers[i]);
            ids_worker_post(t->workers[i]);
            busy |= t->workers[i]->dirty.head != NULL;
        }
    }
}

void harness_pass(harness *t, uint64_t ms) {
    for (uint32_t i = 0; i < t->server.loops; i++) {
        t->workers[i]->now_ms += ms;
        ids_line_tick(t->lines[i], 1000);
    }
    harness_run(t);
}

void caller_open(caller *c, harness *t, uint32_t loop) {
    *c = (caller){.harness = t, .takes = SIZE_MAX};
    c->conn = ids_conn_new(-1);
    assert(c->conn);
    c->conn->link = c;
    if (t->wire)
        t->wire->open(c);
    bool given = ids_reader_give(t->lines[loop], c->conn, loop);
    assert(given);
    (void)given;
}

void caller_close(caller *c) {
    if (c->travels) { /* nobody can close it before it has arrived */
        c->harness->keep_messages = false;
        harness_run(c->harness);
    }
    if (c->conn)
        leave(c);
    idt_buf_free(&c->got);
    idt_buf_free(&c->behind);
    harness_run(c->harness);
}

static void arrive(caller *c, const uint8_t *bytes, size_t len) {
    ids_line *line = c->harness->lines[c->loop];
    if (!c->conn || !len)
        return;
    if (c->harness->wire) {
        c->harness->wire->come(c, bytes, len);
    } else {
        memcpy(ids_line_input_room(line), bytes, len);
        ids_reader_input(line, c->conn, len);
    }
    harness_run(c->harness);
}

void caller_send(caller *c, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    while (len) {
        size_t part_len = len < IDS_INPUT_BYTES ? len : IDS_INPUT_BYTES;
        arrive(c, at, part_len);
        at += part_len;
        len -= part_len;
    }
}

void caller_send_slowly(caller *c, const void *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        arrive(c, (const uint8_t *)bytes + i, 1);
}

static void describe(caller *c, idt_cursor at, uint64_t msgid) {
    idt_item error = {0}, result = {0};
    idt_unpack(&at, &error);
    idt_unpack(&at, &result);
    const char *what = "map";
    idt_item first = error;
    if (error.kind == IDT_NIL && result.kind == IDT_ARRAY)
        idt_unpack(&at, &first);
    else if (error.kind == IDT_NIL)
        first = result;
    size_t len = 0;
    snprintf(c->error, sizeof c->error, "%.*s",
             error.kind == IDT_STR ? (int)error.len : 0,
             (const char *)error.bytes);
    if (first.kind == IDT_STR) {
        what = (const char *)first.bytes;
        while (len < first.len && what[len] != ' ')
            len++;
    } else {
        len = strlen(what);
    }
    snprintf(c->heard, sizeof c->heard, "%llu %.*s", (unsigned long long)msgid,
             (int)len, what);
}

const char *caller_hear(caller *c) {
    size_t bytes = idt_element_bytes(c->got.at, c->got.len);
    if (!bytes)
        return "nothing";
    idt_cursor at = {c->got.at, c->got.at + bytes};
    idt_item head, kind, msgid;
    idt_unpack(&at, &head);
    idt_unpack(&at, &kind);
    idt_unpack(&at, &msgid);
    assert(head.kind == IDT_ARRAY && head.count == 4 && kind.number == 1);
    describe(c, at, msgid.number);
    idt_buf_drop(&c->got, bytes);
    return c->heard;
}

static idp_slice text(const char *s) {
    return (idp_slice){(const uint8_t *)s, s ? strlen(s) : 0};
}

size_t put_acquire(uint8_t *to, uint32_t msgid, const char *key,
                   uint32_t wait_ms) {
    const idp_request request = {.method = IDP_ACQUIRE,
                                 .msgid = msgid,
                                 .ns = text("t"),
                                 .key = text(key),
                                 .lease_ms = 1000,
                                 .ttl_ms = 60000,
                                 .wait_ms = wait_ms};
    return idp_request_write(to, FRAME_BYTES, &request);
}

size_t put_complete(uint8_t *to, uint32_t msgid, const char *key,
                    idp_token token, size_t result_bytes) {
    uint8_t *result = calloc(1, result_bytes + 1);
    const idp_request request = {.method = IDP_COMPLETE,
                                 .msgid = msgid,
                                 .ns = text("t"),
                                 .key = text(key),
                                 .token = token,
                                 .result = {result, result_bytes}};
    size_t len = idp_request_write(to, FRAME_BYTES + result_bytes, &request);
    free(result);
    return len;
}

size_t put_hello(uint8_t *to, uint32_t msgid, int shard, const char *secret) {
    const idp_request request = {.method = IDP_HELLO,
                                 .msgid = msgid,
                                 .has_shard = shard >= 0,
                                 .shard = shard >= 0 ? (uint32_t)shard : 0,
                                 .secret = text(secret)};
    return idp_request_write(to, FRAME_BYTES, &request);
}

size_t put_plain(uint8_t *to, uint32_t msgid, idp_method method) {
    const idp_request request = {.method = method, .msgid = msgid};
    return idp_request_write(to, FRAME_BYTES, &request);
}

void ask_acquire(caller *c, uint32_t msgid, const char *key, uint32_t wait_ms) {
    uint8_t frame[FRAME_BYTES];
    caller_send(c, frame, put_acquire(frame, msgid, key, wait_ms));
}

void ask_hello(caller *c, uint32_t msgid, int shard, const char *secret) {
    uint8_t frame[FRAME_BYTES];
    caller_send(c, frame, put_hello(frame, msgid, shard, secret));
}

void ask_plain(caller *c, uint32_t msgid, idp_method method) {
    uint8_t frame[FRAME_BYTES];
    caller_send(c, frame, put_plain(frame, msgid, method));
}

const char *key_of(const harness *t, uint32_t loop, uint32_t which) {
    static char keys[16][16];
    static uint32_t next;
    char *key = keys[next++ % 16];
    for (uint32_t n = 0;; n++) {
        snprintf(key, sizeof keys[0], "k%u", n);
        uint64_t hash =
            idp_owner_hash(t->server.hash_key, text("t"), text(key));
        if (idp_owner_shard(hash, t->server.loops) == loop && !which--)
            return key;
    }
}
