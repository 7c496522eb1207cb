/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c -- gathering a snapshot and writing it; see snapshot.h. */
#include "server/journal/snapshot.h"

#include "server/journal/mutant.h"
#include "server/journal/names.h"
#include "server/journal/writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A step of the walk ends after so much, or the record that crosses it. */
#define STEP_BYTES (64u << 10)
/* So much of a snapshot is brought to the medium at a time. */
#define PUSH_BYTES (1u << 20)

/* The walk ----------------------------------------------------------------- */

void ids_snapshot_walk_init(ids_snapshot_walk *walk, size_t block_bytes) {
    assert(block_bytes > IDS_FRAME_HEAD_BYTES);
    *walk = (ids_snapshot_walk){.block_bytes = block_bytes};
}

static void put_seen_record(void *ctx, const ids_change *change) {
    ids_snapshot_walk *walk = ctx;
    idp_bytes *block = &walk->block;
    size_t head_bytes = block->len == 0 ? IDS_FRAME_HEAD_BYTES : 0;
    size_t bytes =
        head_bytes + ids_change_write_bound(change) + IDS_FRAME_ALIGN;
    assert(change->number == 0);
    if (walk->failed || block->len + bytes > IDS_FRAME_BODY_BYTES_MAX ||
        !idp_bytes_reserve(block, bytes)) {
        walk->failed = true;
        return;
    }
    block->len += head_bytes;
    block->len += ids_change_write(block->ptr + block->len, change);
    walk->count++;
    assert(block->len <= block->cap);
}

bool ids_snapshot_walk_step(ids_snapshot_walk *walk, ids_shard *shard,
                            uint64_t now_ms, uint32_t buckets_max) {
    ids_frame frame = {.kind = IDS_FRAME_RECORDS, .now_ms = now_ms};
    size_t step_end = walk->block.len + STEP_BYTES;
    size_t end = step_end < walk->block_bytes ? step_end : walk->block_bytes;
    assert(walk->failed || walk->block.len < walk->block_bytes);
    for (; buckets_max > 0 && !walk->over && !walk->failed &&
           walk->block.len < end;
         buckets_max--)
        walk->over = !ids_shard_walk(shard, now_ms, &walk->cursor, 1,
                                     put_seen_record, walk);
    if (walk->failed)
        return true;
    if (walk->count > 0) {
        frame.body_bytes = (uint32_t)(walk->block.len - IDS_FRAME_HEAD_BYTES);
        frame.count = walk->count;
        assert(frame.body_bytes > 0 && walk->block.len < walk->block.cap);
        ids_frame_blank(walk->block.ptr, &frame);
    }
    return walk->over || walk->block.len >= walk->block_bytes;
}

void ids_snapshot_walk_clear(ids_snapshot_walk *walk) {
    walk->block.len = 0;
    walk->count = 0;
}

void ids_snapshot_walk_fini(ids_snapshot_walk *walk, ids_shard *shard) {
    if (walk->cursor > 0 && shard)
        ids_shard_walk_end(shard);
    idp_bytes_free(&walk->block);
    *walk = (ids_snapshot_walk){.over = true};
}

/* The file ----------------------------------------------------------------- */

/* A full disk is a reason to give up, any other error one to stop. */
static bool fail_snapshot(ids_snapshot_file *f, int error, const char *what) {
    assert(error < 0);
    if (ids_fault_is_room(error)) {
        f->no_room = true;
        return false;
    }
    return ids_fault_disk(&f->fault, error, f->name, what);
}

static bool is_well(const ids_snapshot_file *f) {
    return f->fault.kind == IDS_FAULT_NONE && !f->no_room;
}

bool ids_snapshot_create(ids_snapshot_file *f, const ids_disk *disk,
                         const ids_file_head *head) {
    uint8_t bytes[IDS_FILE_HEAD_BYTES];
    assert(head->number >= 1);
    *f = (ids_snapshot_file){.disk = disk, .head = *head};
    ids_name_snapshot(f->name, head->number, head->loop);
    f->head.bytes = 0;
    ids_file_head_write(bytes, &f->head, IDS_SNAPSHOT_MAGIC);
    f->file = disk->open(disk->ctx, f->name, IDS_DISK_CREATE);
    if (f->file < 0 && ids_fault_may_pass(f->file))
        return fail_snapshot(f, -ENOSPC, "");
    if (f->file < 0)
        return fail_snapshot(f, f->file, "can't create a snapshot");
    int error = ids_disk_write_all(disk, f->file, 0, bytes, sizeof bytes);
    f->sum.bytes = sizeof bytes;
    return !error || fail_snapshot(f, error, "can't write a snapshot");
}

/* The log's syncs go to the same disk: one that finds gigabytes of a snapshot
 * before it would take seconds. */
static void push_block(ids_snapshot_file *f) {
    uint64_t len = f->sum.bytes - f->pushed;
    assert(f->pushed <= f->sum.bytes);
    if (len < PUSH_BYTES)
        return;
    f->disk->push(f->disk->ctx, f->file, f->pushed, len);
    f->pushed = f->sum.bytes;
}

static bool put_frame(ids_snapshot_file *f, uint8_t *at, ids_frame *frame) {
    size_t bytes = ids_frame_bytes(frame->body_bytes);
    assert(f->file >= 0 && f->sum.bytes >= IDS_FILE_HEAD_BYTES);
    assert(frame->kind == IDS_FRAME_RECORDS || frame->kind == IDS_FRAME_END);
    assert(frame->kind == IDS_FRAME_END || frame->count > 0);
    frame->epoch = f->head.epoch;
    frame->first = f->sum.records;
    frame->previous = f->sum.crc;
    ids_frame_fill(at + IDS_FRAME_HEAD_BYTES + frame->body_bytes,
                   frame->body_bytes);
    ids_frame_seal(at, frame, f->head.crc);
    int error = ids_disk_write_all(f->disk, f->file, f->sum.bytes, at, bytes);
    f->sum.bytes += bytes;
    f->sum.records += frame->count;
    f->sum.crc = frame->crc;
    if (!error)
        push_block(f);
    return !error || fail_snapshot(f, error, "can't write a snapshot");
}

bool ids_snapshot_write(ids_snapshot_file *f, uint8_t *block, size_t len) {
    ids_frame frame = ids_frame_of_blank(block);
    if (!is_well(f))
        return false;
    int64_t room = f->disk->free_bytes(f->disk->ctx);
    assert(len == IDS_FRAME_HEAD_BYTES + frame.body_bytes);
    assert(frame.kind == IDS_FRAME_RECORDS);
    if (room >= 0 && (uint64_t)room < IDS_DISK_RESERVE_BYTES + len)
        return fail_snapshot(f, -ENOSPC, "");
    f->now_ms = frame.now_ms;
    return put_frame(f, block, &frame);
}

bool ids_snapshot_finish(ids_snapshot_file *f) {
    uint8_t bytes[IDS_FRAME_MIN_BYTES];
    ids_frame end = {.kind = IDS_FRAME_END, .now_ms = f->now_ms};
    if (!is_well(f) || !put_frame(f, bytes, &end))
        return false;
    int error = IDS_MUTANT(SNAPSHOT_UNSYNCED)
                    ? 0
                    : f->disk->sync(f->disk->ctx, f->file);
    f->disk->close(f->disk->ctx, f->file);
    f->file = -1;
    return !error || fail_snapshot(f, error, "can't sync a snapshot");
}

void ids_snapshot_abandon(ids_snapshot_file *f) {
    assert(f->name[0] != '\0');
    if (f->file >= 0)
        f->disk->close(f->disk->ctx, f->file);
    f->file = -1;
    f->disk->remove(f->disk->ctx, f->name);
}
