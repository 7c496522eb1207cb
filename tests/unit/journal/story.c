/* SPDX-License-Identifier: Apache-2.0 */
/* story.c -- see story.h. */
#include "tests/unit/journal/story.h"

#include "tests/lib/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOPS = 2, KEYS = 8, UNIX_S = 1700000000 };

const char story_told[] =
    "a completed 1700000001:1 attempt 1 success \"forty-two\"\n"
    "b completed 1700000001:2 attempt 2 error nil\n"
    "c released 1700000001:3 attempt 1\n"
    "e in_progress 1700000001:5 attempt 3 lease 30000\n"
    "f completed 1700000002:1 attempt 1 success \"\"\n"
    "g in_progress 1700000002:2 attempt 1 lease 1000\n";

static idp_slice text_of(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

static ids_change claim(const char *key, uint64_t epoch, uint64_t sequence) {
    return (ids_change){.ns = text_of("shop"),
                        .key = text_of(key),
                        .fingerprint = text_of("digest"),
                        .nonce = text_of("nonce"),
                        .token = {epoch, sequence},
                        .state = IDP_STATE_IN_PROGRESS,
                        .attempt = 1,
                        .lease_ms = 1000,
                        .lease_left_ms = 1000,
                        .ttl_ms = 86400000,
                        .ttl_left_ms = 86400000};
}

static ids_change complete(ids_change c, idp_class class, const char *result) {
    c.state = IDP_STATE_COMPLETED;
    c.class = class;
    c.lease_ms = 0;
    c.lease_left_ms = 0;
    c.has_result = result != NULL;
    if (result)
        c.result = text_of(result);
    return c;
}

/* One life: a writer and a journal per loop. */
typedef struct life {
    const ids_disk *disk;
    ids_data_dir dir;
    ids_writer writer[LOOPS];
    ids_journal *journal[LOOPS];
    uint64_t number[LOOPS];
    uint64_t now_ms;
    ids_fault *fault;
} life;

static void take(life *l, uint32_t loop, ids_change c) {
    c.number = ++l->number[loop];
    ids_journal_take(l->journal[loop], &c);
}

static bool flush(life *l, uint32_t loop) {
    const ids_batch *batch = ids_journal_hand_over(l->journal[loop], l->now_ms);
    if (batch == NULL)
        return true;
    ids_batch_done done = ids_writer_carry_out(&l->writer[loop], batch);
    if (batch->sync_behind && ids_writer_sync(&l->writer[loop]))
        done.durable = l->writer[loop].synced.number;
    ids_writer_prepare(&l->writer[loop]);
    ids_journal_done(l->journal[loop], &done);
    *l->fault = l->writer[loop].fault;
    return !done.failed;
}

static bool read_all(ids_data_dir *v, const ids_loader *loader,
                     ids_fault *fault) {
    for (uint32_t phase = 0; phase < ids_data_dir_phases(v); phase++)
        for (uint32_t i = 0; i < ids_data_dir_units(v, phase); i++)
            if (!ids_data_dir_read(v, phase, i, loader, fault))
                return false;
    return true;
}

static bool begin(life *l) {
    const ids_run_config config = {.loops = LOOPS,
                                   .fsync = IDS_FSYNC_ALWAYS,
                                   .segment_bytes = 4096,
                                   .start_ms = l->now_ms,
                                   .clock = UNIX_S,
                                   .random = {0x1d3, 0x1d5}};
    const ids_journal_config journal = {.fsync = IDS_FSYNC_ALWAYS,
                                        .backlog_bytes_max = 2000,
                                        .mark_ms = 10000,
                                        .now_ms = l->now_ms,
                                        .free_bytes = UINT64_MAX};
    if (!ids_data_dir_open(&l->dir, l->disk, l->fault))
        return false;
    if (!read_all(&l->dir, NULL, l->fault) ||
        !ids_data_dir_begin(&l->dir, &config, l->writer, l->fault)) {
        ids_data_dir_close(&l->dir);
        return false;
    }
    for (uint32_t i = 0; i < LOOPS; i++) {
        l->journal[i] = ids_journal_new(&journal);
        l->number[i] = 0;
    }
    return true;
}

static void end(life *l) {
    for (uint32_t i = 0; i < LOOPS; i++) {
        ids_journal_free(l->journal[i]);
        ids_writer_close(&l->writer[i]);
    }
    ids_data_dir_close(&l->dir);
}

/* A snapshot of one record per loop, b and c as they are. */
static bool snapshot(life *l, const ids_change *records) {
    ids_snapshot_sum sums[LOOPS];
    ids_log_end firsts[LOOPS];
    for (uint32_t i = 0; i < LOOPS; i++) {
        uint8_t block[1024];
        ids_snapshot_file file;
        const ids_file_head head = {.node = l->dir.manifest.node,
                                    .epoch = l->dir.manifest.epoch,
                                    .number =
                                        ids_data_dir_next_generation(&l->dir),
                                    .loop = i};
        ids_frame frame = {
            .kind = IDS_FRAME_RECORDS, .count = 1, .now_ms = l->now_ms};
        frame.body_bytes = (uint32_t)ids_change_write(
            block + IDS_FRAME_HEAD_BYTES, &records[i]);
        ids_frame_blank(block, &frame);
        ids_journal_cut(l->journal[i]);
        if (!flush(l, i) || !ids_snapshot_create(&file, l->disk, &head) ||
            !ids_snapshot_write(&file, block,
                                IDS_FRAME_HEAD_BYTES + frame.body_bytes) ||
            !ids_snapshot_finish(&file))
            return false;
        sums[i] = file.sum;
        firsts[i] = *ids_journal_cut_at(l->journal[i]);
    }
    return ids_data_dir_install(&l->dir, sums, firsts, l->now_ms, false,
                                l->fault);
}

static bool first_life(life *l) {
    uint64_t epoch = UNIX_S + 1;
    ids_change b = complete(claim("b", epoch, 2), IDP_CLASS_ERROR, NULL);
    ids_change c = claim("c", epoch, 3);
    ids_change e = claim("e", epoch, 5);
    b.attempt = 2;
    b.previous = IDP_PREVIOUS_ORPHANED;
    c.state = IDP_STATE_RELEASED;
    c.lease_ms = 0;
    c.lease_left_ms = 0;
    e.attempt = 3;
    e.lease_ms = 30000;
    e.lease_left_ms = 30000;
    if (!begin(l))
        return false;
    take(l, 0, claim("a", epoch, 1));
    take(l, 1, claim("d", epoch, 4));
    l->now_ms += 100;
    const ids_change records[LOOPS] = {b, c};
    bool good = flush(l, 0) && flush(l, 1) && snapshot(l, records);
    take(l, 0, complete(claim("a", epoch, 1), IDP_CLASS_SUCCESS, "forty-two"));
    take(l, 1, (ids_change){.ns = text_of("shop"), .key = text_of("d")});
    take(l, 1, e);
    l->now_ms += 100;
    good = good && flush(l, 0) && flush(l, 1);
    end(l);
    return good;
}

static bool second_life(life *l) {
    uint64_t epoch = UNIX_S + 2;
    if (!begin(l))
        return false;
    take(l, 0, complete(claim("f", epoch, 1), IDP_CLASS_SUCCESS, ""));
    bool good = flush(l, 0);
    take(l, 1, claim("g", epoch, 2));
    good = good && flush(l, 1);
    end(l);
    return good;
}

bool story_write(const ids_disk *disk, ids_fault *fault) {
    life l = {.disk = disk, .fault = fault, .now_ms = IDS_CLOCK_START_MS};
    return first_life(&l) && second_life(&l);
}

/* Reading ------------------------------------------------------------------ */

typedef struct reader {
    ids_shard *shard;
    char *text;
    size_t len, cap;
    uint32_t wanted;
} reader;

static uint64_t hash(void *ctx, idp_slice ns, idp_slice key) {
    (void)ctx;
    return (uint64_t)(key.ptr[0] - 'a') * 0x9e3779b97f4a7c15u + ns.len;
}

static bool load(void *ctx, const ids_change *changes, size_t count,
                 uint64_t now_ms) {
    reader *r = ctx;
    for (size_t i = 0; i < count; i++)
        if (!ids_shard_put(r->shard, hash(NULL, changes[i].ns, changes[i].key),
                           &changes[i], now_ms))
            return false;
    return true;
}

static void tell(reader *r, const ids_change *c) {
    static const char *const states[] = {
#define X(name, text) text,
        IDP_STATES(X)
#undef X
    };
    char *at = r->text + r->len;
    size_t cap = r->cap - r->len;
    int len = snprintf(at, cap, "%.*s %s %llu:%llu attempt %u", (int)c->key.len,
                       c->key.ptr, states[c->state],
                       (unsigned long long)c->token.epoch,
                       (unsigned long long)c->token.sequence, c->attempt);
    if (c->state == IDP_STATE_IN_PROGRESS)
        len += snprintf(at + len, cap - (size_t)len, " lease %u", c->lease_ms);
    if (c->state == IDP_STATE_COMPLETED)
        len += snprintf(at + len, cap - (size_t)len, " %s",
                        c->class == IDP_CLASS_ERROR ? "error" : "success");
    if (c->state == IDP_STATE_COMPLETED && !c->has_result)
        len += snprintf(at + len, cap - (size_t)len, " nil");
    else if (c->state == IDP_STATE_COMPLETED)
        len += snprintf(at + len, cap - (size_t)len, " \"%.*s\"",
                        (int)c->result.len, c->result.ptr);
    len += snprintf(at + len, cap - (size_t)len, "\n");
    r->len += (size_t)len;
}

static void seen(void *ctx, const ids_change *change) {
    reader *r = ctx;
    if (change->key.ptr[0] == 'a' + r->wanted)
        tell(r, change);
}

static void tell_all(reader *r, uint64_t now_ms) {
    for (r->wanted = 0; r->wanted < KEYS; r->wanted++) {
        uint64_t cursor = 0;
        while (ids_shard_walk(r->shard, now_ms, &cursor, 64, seen, r)) {
        }
        ids_shard_walk_end(r->shard);
    }
}

bool story_read(const ids_disk *disk, char *text, size_t cap,
                ids_fault *fault) {
    idt_mem mem;
    ids_data_dir dir;
    reader r = {.text = text, .cap = cap};
    const ids_loader loader = {.ctx = &r, .load = load};
    idt_mem_init(&mem);
    text[0] = 0;
    if (!ids_data_dir_open(&dir, disk, fault))
        return false;
    const ids_shard_config config = {.epoch = 1,
                                     .memory_bytes_max = 16u << 20,
                                     .result_bytes_max = 1024,
                                     .waiters_per_key_max = 1,
                                     .waiters_max = 1,
                                     .mem = idt_mem_of(&mem),
                                     .hash = hash};
    r.shard = ids_shard_new(&config);
    assert(r.shard);
    bool good = read_all(&dir, &loader, fault);
    if (good)
        tell_all(&r, ids_data_dir_clock_ms(&dir));
    ids_shard_free(r.shard);
    ids_data_dir_close(&dir);
    return good;
}
