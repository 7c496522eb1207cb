/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c -- see writer.h. */
#include "server/journal/writer.h"

#include "server/journal/make.h"
#include "server/journal/mutant.h"
#include "server/journal/names.h"

#include <assert.h>
#include <errno.h>

/* Where zeros begin: the first block was written with the header. In how many
 * pieces they are written, unless these were too small; and how many bytes at
 * most between two batches, however far behind they are. */
#define ZERO_FROM            4096u
#define ZERO_PIECES          64u
#define ZERO_PIECE_BYTES_MIN 4096u
#define ZERO_BYTES_AT_ONCE   (4u << 20)

/* What is on the medium is part of what is written, and that of the segment
 * that is open, which always has room for its seal. */
static void check_writer(const ids_writer *w) {
    assert(w->now.file >= 0 && w->now.head.number == w->end.segment);
    assert(w->end.at >= IDS_FILE_HEAD_BYTES);
    assert(w->end.at + IDS_FRAME_MIN_BYTES <= w->now.head.bytes);
    assert(w->synced.number <= w->end.number);
    assert(w->synced.segment <= w->end.segment);
    assert(w->old.file < 0 || w->old.head.number + 1 == w->now.head.number);
    assert(w->ahead.file < 0 || w->ahead.head.number == w->end.segment + 1);
}

bool ids_writer_open(ids_writer *w, const ids_writer_config *config) {
    assert(config->segment_bytes <= IDS_SEGMENT_BYTES_MAX);
    assert(config->disk != NULL && config->epoch != 0);
    *w = (ids_writer){.config = *config,
                      .now = {.file = -1},
                      .ahead = {.file = -1},
                      .old = {.file = -1}};
    w->end = (ids_log_end){.segment = 1, .at = IDS_FILE_HEAD_BYTES};
    w->synced = w->end;
    return ids_writer_make(w, 1, 0, &w->now);
}

static void close_segment(ids_writer *w, ids_segment_file *segment) {
    if (segment->file >= 0)
        w->config.disk->close(w->config.disk->ctx, segment->file);
    segment->file = -1;
}

void ids_writer_close(ids_writer *w) {
    close_segment(w, &w->old);
    close_segment(w, &w->now);
    close_segment(w, &w->ahead);
}

/* Whoever carries out jobs is through with them. */
static void await_disk(ids_writer *w) {
    if (w->config.await_disk && (w->syncing || w->makes_next))
        w->config.await_disk(w->config.await_disk_ctx);
}

static bool sync_segment(ids_writer *w, int file, uint64_t segment) {
    int error = w->config.disk->sync(w->config.disk->ctx, file);
    assert(file >= 0);
    return !error || IDS_MUTANT(IGNORES_SYNC_ERRORS) ||
           ids_writer_fail(w, error, segment, "can't sync");
}

/* The sealed segment, if that may not be on the medium yet. */
static bool sync_old(ids_writer *w) {
    if (w->old.file < 0)
        return true;
    await_disk(w);
    if (w->fault.kind != IDS_FAULT_NONE)
        return false;
    if (w->old.file >= 0 && !sync_segment(w, w->old.file, w->old.head.number))
        return false;
    close_segment(w, &w->old);
    return true;
}

static bool sync(ids_writer *w) {
    assert(w->synced.number <= w->end.number);
    if (!sync_old(w))
        return false;
    if (w->synced.segment == w->end.segment && w->synced.at == w->end.at)
        return true;
    if (!sync_segment(w, w->now.file, w->end.segment))
        return false;
    w->synced = w->end;
    return true;
}

bool ids_writer_sync(ids_writer *w) {
    await_disk(w);
    return w->fault.kind == IDS_FAULT_NONE && sync(w);
}

/* Completes the heads of the frames in [bytes, bytes + len) for where they
 * are about to be written. */
static void seal_frame(ids_writer *w, uint8_t *at, ids_frame *frame) {
    assert(frame->epoch == 0 && frame->body_bytes <= IDS_FRAME_BODY_BYTES_MAX);
    assert(w->synced.number <= w->end.number);
    frame->epoch = w->config.epoch;
    frame->first = w->end.number + 1;
    frame->synced_segment = (uint32_t)w->synced.segment;
    frame->synced_at = w->synced.at;
    frame->previous = w->end.chain;
    ids_frame_seal(at, frame, w->now.head.crc);
    w->end.at += (uint32_t)ids_frame_bytes(frame->body_bytes);
    assert(w->end.at <= w->now.head.bytes);
    w->end.chain = frame->crc;
    w->end.number += frame->count;
}

static bool put_batch(ids_writer *w, uint32_t at, const uint8_t *bytes,
                      size_t len) {
    int error = ids_disk_write_all(w->config.disk, w->now.file, at, bytes, len);
    assert(at >= IDS_FILE_HEAD_BYTES && at + len <= w->now.head.bytes);
    assert(len % IDS_FRAME_ALIGN == 0);
    if (error && !IDS_MUTANT(IGNORES_WRITE_ERRORS))
        return ids_writer_fail(w, error, w->end.segment, "can't write");
    return true;
}

static bool make_ahead(ids_writer *w, uint32_t at_least) {
    const ids_disk *disk = w->config.disk;
    if (w->ahead.file >= 0 &&
        w->ahead.head.bytes >= at_least + IDS_SEGMENT_EXTRA)
        return true;
    if (w->ahead.file >= 0) { /* one that was made small in an emergency */
        char name[IDS_DISK_NAME_BYTES];
        close_segment(w, &w->ahead);
        ids_name_log(name, w->config.epoch, w->config.loop, w->end.segment + 1);
        disk->remove(disk->ctx, name);
    }
    if (!ids_writer_make(w, w->end.segment + 1, at_least, &w->ahead))
        return false;
    assert(w->ahead.head.number == w->end.segment + 1);
    assert(w->ahead.head.bytes >= at_least + IDS_SEGMENT_EXTRA);
    w->zeroed_at =
        ZERO_FROM < w->ahead.head.bytes ? ZERO_FROM : w->ahead.head.bytes;
    if (IDS_MUTANT(ZEROES_THE_HEAD))
        w->zeroed_at = 0;
    int error = IDS_MUTANT(NO_FOLDER_SYNC) ? 0 : disk->sync_folder(disk->ctx);
    return !error ||
           ids_writer_fail(w, error, w->end.segment + 1, "can't sync its name");
}

/* No segment was begun, and that may pass: nothing is wrong with the log. */
static bool forgive(ids_writer *w) {
    if (w->ahead.file >= 0 || w->fault.kind != IDS_FAULT_DISK ||
        !ids_fault_may_pass(w->fault.error))
        return false;
    w->fault = (ids_fault){0};
    return true;
}

/* Changes wait meanwhile, and so do the replies that tell of them. */
static bool make_ahead_in_time(ids_writer *w, uint32_t at_least) {
    const ids_writer_patience *patience = &w->patience;
    while (!make_ahead(w, at_least)) {
        const ids_fault fault = w->fault;
        if (!forgive(w))
            return false;
        if (patience->wait && patience->wait(patience->ctx, &fault))
            continue;
        w->fault = fault;
        return false;
    }
    return true;
}

/* Seals the segment and goes on in the next. That it is there says that all
 * segments before the sealed one are on the medium; whether the sealed one is,
 * each frame in the next one says. */
static bool rotate(ids_writer *w, uint64_t now_ms, uint32_t at_least) {
    uint8_t bytes[IDS_FRAME_MIN_BYTES];
    ids_frame seal = {.kind = IDS_FRAME_SEAL, .now_ms = now_ms};
    uint32_t at = w->end.at;
    assert(at + IDS_FRAME_MIN_BYTES <= w->now.head.bytes);
    if (!sync_old(w))
        return false;
    if (w->makes_next || IDS_MUTANT(ROTATES_UNSYNCED))
        await_disk(w);
    if (w->fault.kind != IDS_FAULT_NONE || !make_ahead_in_time(w, at_least))
        return false;
    assert(w->old.file < 0 && w->ahead.file >= 0);
    ids_frame_fill(bytes + IDS_FRAME_HEAD_BYTES, 0);
    seal_frame(w, bytes, &seal);
    if (!put_batch(w, at, bytes, sizeof bytes))
        return false;
    bool behind = w->config.syncs_behind && !IDS_MUTANT(ROTATES_UNSYNCED);
    if (behind)
        w->old = w->now;
    else if (!IDS_MUTANT(ROTATES_UNSYNCED) && !sync(w))
        return false;
    else
        close_segment(w, &w->now);
    w->now = w->ahead;
    w->ahead.file = -1;
    w->end.segment++;
    w->end.at = IDS_FILE_HEAD_BYTES;
    if (!behind)
        w->synced = w->end;
    check_writer(w);
    return true;
}

/* Writes as many of the frames at bytes as go into this segment with one
 * write; a frame that doesn't goes into the next. Returns the bytes dealt
 * with; 0: failed. */
static size_t write_some_batch(ids_writer *w, uint8_t *bytes, size_t len,
                               uint64_t now_ms) {
    size_t done = 0;
    ids_frame frame = ids_frame_of_blank(bytes);
    size_t frame_bytes = ids_frame_bytes(frame.body_bytes);
    uint32_t room = w->now.head.bytes - w->end.at - IDS_FRAME_MIN_BYTES;
    uint32_t at;
    assert(frame_bytes + IDS_SEGMENT_EXTRA <= w->config.segment_bytes);
    assert(len > 0 && frame_bytes <= len);
    if (frame_bytes > room) {
        if (!rotate(w, now_ms, (uint32_t)frame_bytes))
            return 0;
        room = w->now.head.bytes - w->end.at - IDS_FRAME_MIN_BYTES;
    }
    at = w->end.at;
    while (done < len) {
        frame = ids_frame_of_blank(bytes + done);
        frame_bytes = ids_frame_bytes(frame.body_bytes);
        if (done + frame_bytes > room)
            break;
        seal_frame(w, bytes + done, &frame);
        done += frame_bytes;
    }
    assert(done > 0 && done <= len);
    return put_batch(w, at, bytes, done) ? done : 0;
}

static bool carry_out_write(ids_writer *w, const ids_batch *batch) {
    size_t done = 0;
    assert(w->end.number <= batch->last);
    assert(batch->len == 0 || batch->bytes != NULL);
    while (done < batch->len) {
        size_t some = write_some_batch(w, batch->bytes + done,
                                       batch->len - done, batch->now_ms);
        if (some == 0)
            return false;
        done += some;
    }
    if (batch->sync && IDS_MUTANT(ACK_BEFORE_SYNC))
        w->synced.number = w->end.number;
    else if (batch->sync && !sync(w))
        return false;
    return true;
}

ids_batch_done ids_writer_carry_out(ids_writer *w, const ids_batch *batch) {
    bool good = w->fault.kind == IDS_FAULT_NONE &&
                (!batch->cut || rotate(w, batch->now_ms, 0));
    ids_log_end cut = w->end;
    good = good && carry_out_write(w, batch);
    ids_writer_look_for_room(w);
    assert(!good || w->end.number == batch->last);
    if (good)
        check_writer(w);
    return (ids_batch_done){.written = w->end.number,
                            .durable = w->synced.number,
                            .cut = cut,
                            .end = w->end,
                            .free_bytes = w->free_bytes,
                            .failed = !good};
}

/* Up to where the next segment is to be zeroed by now: it is as far as this
 * one is filled, and done when that is two thirds. */
static uint32_t zeros_due(const ids_writer *w) {
    uint64_t bytes = w->ahead.head.bytes;
    uint64_t piece = bytes / ZERO_PIECES;
    assert(w->ahead.file >= 0 && w->now.head.bytes > 0);
    uint64_t due = w->end.at * bytes / w->now.head.bytes * 3 / 2;
    if (due >= bytes)
        return (uint32_t)bytes;
    if (piece < ZERO_PIECE_BYTES_MIN)
        piece = ZERO_PIECE_BYTES_MIN;
    return (uint32_t)(due - due % piece);
}

/* Room that is reserved but was never written costs each sync in it a change
 * of the file's map of blocks; writing over zeros costs none. So the next
 * segment is filled with them, faster than this one fills up, and in few
 * pieces: each of them changes a map, which may lie in the same block as the
 * present one's, and then goes with the next sync. Where that is not fast
 * enough the rest stays as it is, and only syncs are slower. */
static void zero_ahead(ids_writer *w) {
    const ids_disk *disk = w->config.disk;
    uint32_t due = zeros_due(w);
    uint32_t at = w->zeroed_at;
    assert(at <= w->ahead.head.bytes && due <= w->ahead.head.bytes);
    if (due <= at)
        return;
    size_t bytes =
        due - at < ZERO_BYTES_AT_ONCE ? due - at : ZERO_BYTES_AT_ONCE;
    int error = disk->zero(disk->ctx, w->ahead.file, at, bytes);
    if (error)
        ids_writer_fail(w, error, w->end.segment + 1,
                        "can't fill it with zeros");
    else
        disk->push(disk->ctx, w->ahead.file, at, bytes);
    w->zeroed_at += (uint32_t)bytes;
}

static void make_next(ids_writer *w) {
    assert(w->ahead.file < 0);
    if (!make_ahead(w, 0))
        forgive(w); /* there is room in the present one yet */
}

void ids_writer_prepare(ids_writer *w) {
    if (w->fault.kind != IDS_FAULT_NONE || w->config.syncs_behind)
        return;
    if (w->ahead.file >= 0) {
        if (w->config.zeroes_ahead)
            zero_ahead(w);
        return;
    }
    if (w->free_bytes >= IDS_SEGMENT_BYTES_MIN)
        make_next(w);
}

/* Jobs --------------------------------------------------------------------- */

bool ids_writer_sync_begin(ids_writer *w, ids_sync_job *job) {
    bool synced = w->synced.segment == w->end.segment &&
                  w->synced.at == w->end.at && w->old.file < 0;
    if (w->syncing || synced || w->fault.kind != IDS_FAULT_NONE)
        return false;
    assert(w->now.file >= 0);
    *job = (ids_sync_job){.disk = w->config.disk,
                          .files = {w->old.file, w->now.file},
                          .end = w->end};
    w->syncing = true;
    return true;
}

void ids_sync_carry_out(ids_sync_job *job) {
    for (int i = 0; i < 2 && !job->error; i++)
        if (job->files[i] >= 0)
            job->error = job->disk->sync(job->disk->ctx, job->files[i]);
}

void ids_writer_sync_done(ids_writer *w, const ids_sync_job *job) {
    assert(w->syncing);
    w->syncing = false;
    if (job->error && !IDS_MUTANT(IGNORES_SYNC_ERRORS)) {
        ids_writer_fail(w, job->error, job->end.segment, "can't sync");
        return;
    }
    assert(job->end.number >= w->synced.number);
    assert(job->end.number <= w->end.number);
    assert(job->end.segment <= w->end.segment);
    w->synced = job->end;
    if (job->files[0] >= 0)
        close_segment(w, &w->old);
}

bool ids_writer_next_begin(ids_writer *w, ids_next_job *job) {
    if (!w->config.syncs_behind || w->ahead.file >= 0 || w->makes_next ||
        w->fault.kind != IDS_FAULT_NONE ||
        w->free_bytes < IDS_SEGMENT_BYTES_MIN)
        return false;
    job->maker = *w;
    job->maker.syncing = false;
    w->makes_next = true;
    return true;
}

void ids_next_carry_out(ids_next_job *job) {
    make_next(&job->maker);
}

void ids_writer_next_done(ids_writer *w, const ids_next_job *job) {
    assert(w->makes_next && w->ahead.file < 0);
    assert(job->maker.end.segment == w->end.segment);
    w->makes_next = false;
    w->ahead = job->maker.ahead;
    assert(w->ahead.file < 0 || w->ahead.head.number == w->end.segment + 1);
    w->zeroed_at = job->maker.zeroed_at;
    w->free_bytes = job->maker.free_bytes;
    if (w->fault.kind == IDS_FAULT_NONE)
        w->fault = job->maker.fault;
}
