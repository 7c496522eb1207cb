/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c -- see journal.h. Two buffers: one fills while the other is
 * written. */
#include "server/journal/journal.h"

#include "proto/bytes.h"
#include "server/journal/mutant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A frame is closed when it has grown to this. */
#define FRAME_BODY_BYTES  262144u
#define BATCH_BYTES_LOW   (1u << 20)
/* A buffer that grew larger than this is not kept for the next time. */
#define BUFFER_BYTES_KEPT (4u << 20)

const char *const ids_fsync_names[IDS_FSYNC_COUNT] = {
#define X(name, text) text,
    IDS_FSYNCS(X)
#undef X
};

bool ids_fsync_parse(const char *word, ids_fsync *fsync) {
    for (int i = 0; i < IDS_FSYNC_COUNT; i++) {
        if (strcmp(word, ids_fsync_names[i]) == 0) {
            *fsync = (ids_fsync)i;
            return true;
        }
    }
    return false;
}

struct ids_journal {
    ids_journal_config config;
    idp_bytes filling, writing;
    size_t frame_at; /* of the frame that is open in filling */
    ids_frame frame; /* count 0: none is open */
    ids_batch batch; /* what is under way */
    bool under_way;
    bool failed;
    bool cut, cutting; /* asked for; in the batch under way */
    bool sync;         /* asked for */
    uint64_t taken;    /* the last change's number */
    uint64_t handed;   /* of those, how many went to the writer */
    uint64_t durable;
    uint64_t passed;      /* the watermark of everysec */
    ids_log_end cut_at;   /* segment 0: not there yet */
    ids_log_end end;      /* of the last batch that is done */
    uint64_t sync_ms;     /* the last sync was handed over */
    uint64_t frame_ms;    /* the last frame was */
    uint64_t batch_ms;    /* the last batch was */
    uint64_t unsynced_ms; /* since when something waits for a sync;
                           * UINT64_MAX: nothing does */
    bool syncing;         /* a sync is under way, behind the batches, */
    uint64_t sync_covers; /* up to this change; */
    uint64_t later_ms;    /* since when something waits for the next one */
    uint64_t waiting_ms;  /* since when something fills up; likewise */
    uint64_t free_bytes;
    uint64_t written_bytes; /* ever handed over */
};

static_assert(FRAME_BODY_BYTES % IDS_FRAME_ALIGN == 0, "a body's measure");

uint32_t ids_journal_segment_bytes_min(size_t result_bytes_max) {
    size_t bytes =
        ids_frame_bytes(FRAME_BODY_BYTES + IDS_CHANGE_BARE_BYTES_MAX +
                        result_bytes_max) +
        IDS_SEGMENT_EXTRA;
    assert(bytes <= IDS_SEGMENT_BYTES_MAX);
    return bytes > IDS_SEGMENT_BYTES_MIN ? (uint32_t)bytes
                                         : IDS_SEGMENT_BYTES_MIN;
}

ids_journal *ids_journal_new(const ids_journal_config *config) {
    ids_journal *j = calloc(1, sizeof *j);
    assert(config->fsync < IDS_FSYNC_COUNT && config->mark_ms > 0);
    assert(config->backlog_bytes_max > 0);
    if (j == NULL)
        return NULL;
    j->config = *config;
    j->sync_ms = j->frame_ms = j->batch_ms = config->now_ms;
    j->unsynced_ms = j->waiting_ms = j->later_ms = UINT64_MAX;
    j->free_bytes = config->free_bytes;
    return j;
}

void ids_journal_free(ids_journal *j) {
    if (j == NULL)
        return;
    idp_bytes_free(&j->filling);
    idp_bytes_free(&j->writing);
    free(j);
}

static void begin_frame(ids_journal *j) {
    assert(j->frame.count == 0 && j->filling.len % IDS_FRAME_ALIGN == 0);
    j->frame_at = j->filling.len;
    j->frame = (ids_frame){.kind = IDS_FRAME_CHANGES};
    j->filling.len += IDS_FRAME_HEAD_BYTES;
    assert(j->filling.len <= j->filling.cap);
}

static void end_frame(ids_journal *j) {
    idp_bytes *b = &j->filling;
    assert(b->len == j->frame_at + IDS_FRAME_HEAD_BYTES + j->frame.body_bytes);
    assert((j->frame.count == 0) == (j->frame.body_bytes == 0));
    ids_frame_blank(b->ptr + j->frame_at, &j->frame);
    ids_frame_fill(b->ptr + b->len, j->frame.body_bytes);
    b->len = j->frame_at + ids_frame_bytes(j->frame.body_bytes);
    assert(b->len <= b->cap);
    j->frame = (ids_frame){0};
}

void ids_journal_take(void *ctx, const ids_change *change) {
    ids_journal *j = ctx;
    idp_bytes *b = &j->filling;
    size_t bytes = ids_change_write_bound(change);
    assert(change->number == j->taken + 1);
    j->taken = change->number;
    if (j->frame.count > 0 && j->frame.body_bytes >= FRAME_BODY_BYTES)
        end_frame(j);
    if (j->failed || !idp_bytes_reserve(b, IDS_FRAME_MIN_BYTES + bytes)) {
        j->failed = true; /* the answer to this may not leave any more */
        return;
    }
    if (j->frame.count == 0)
        begin_frame(j);
    bytes = ids_change_write(b->ptr + b->len, change);
    b->len += bytes;
    j->frame.body_bytes += (uint32_t)bytes;
    j->frame.count++;
    assert(b->len <= b->cap);
    assert(j->taken > j->handed);
}

/* A frame without a change: what time it is, and up to where the log is on
 * the medium. */
static void add_mark(ids_journal *j) {
    if (!idp_bytes_reserve(&j->filling, IDS_FRAME_MIN_BYTES)) {
        j->failed = true;
        return;
    }
    begin_frame(j);
    end_frame(j);
}

/* The time was not known as the frames were put together: it is now, and
 * that is not before any of their changes. */
static void stamp(idp_bytes *b, uint64_t now_ms) {
    for (size_t at = 0; at < b->len;) {
        ids_frame frame = ids_frame_of_blank(b->ptr + at);
        assert(at + ids_frame_bytes(frame.body_bytes) <= b->len);
        frame.now_ms = now_ms;
        ids_frame_blank(b->ptr + at, &frame);
        at += ids_frame_bytes(frame.body_bytes);
    }
}

static bool sync_is_due(const ids_journal *j, uint64_t now_ms) {
    assert(j->durable <= j->handed && j->handed <= j->taken);
    if (j->syncing)
        return false;
    if (j->sync)
        return true;
    if (j->taken == j->durable)
        return false;
    return j->config.fsync == IDS_FSYNC_ALWAYS ||
           (j->config.fsync == IDS_FSYNC_EVERYSEC &&
            now_ms >= j->sync_ms + IDS_EVERYSEC_MS);
}

static void swap_buffers(ids_journal *j) {
    idp_bytes written = j->writing;
    assert(!j->under_way);
    j->writing = j->filling;
    if (written.cap > BUFFER_BYTES_KEPT) {
        idp_bytes_free(&written);
    }
    written.len = 0;
    j->filling = written;
    assert(j->filling.len == 0);
}

/* Where no reply waits for it, a batch may grow for a moment: that is fewer
 * writes, and fewer times that the loop is interrupted. */
static bool may_grow(const ids_journal *j, uint64_t now_ms) {
    return j->config.fsync != IDS_FSYNC_ALWAYS &&
           j->filling.len < BATCH_BYTES_LOW && j->waiting_ms != UINT64_MAX &&
           now_ms < j->waiting_ms + IDS_LINGER_MS;
}

/* A batch goes, and with it perhaps a sync: what is in it waits for that one,
 * or for the one after the one under way. Where no reply waits for syncs they
 * are done behind the batches. */
static void count_unsynced(ids_journal *j, bool sync, uint64_t now_ms) {
    uint64_t *since_ms = j->syncing ? &j->later_ms : &j->unsynced_ms;
    assert(!sync || !j->syncing);
    if (*since_ms == UINT64_MAX)
        *since_ms = j->waiting_ms;
    j->waiting_ms = UINT64_MAX;
    if (!sync)
        return;
    j->sync_ms = now_ms;
    j->syncing = j->config.fsync != IDS_FSYNC_ALWAYS;
    j->sync_covers = j->taken;
    assert(j->sync_covers >= j->durable);
}

/* Every batch that is done tells what room there is. Where claims are refused
 * for want of it, one without a change is handed over now and then: else they
 * would be until somebody completes, or the next mark. */
static bool looks_for_room(const ids_journal *j, uint64_t now_ms) {
    return ids_journal_refuses_claims(j) && now_ms >= j->batch_ms + IDS_LOOK_MS;
}

const ids_batch *ids_journal_hand_over(ids_journal *j, uint64_t now_ms) {
    bool sync = sync_is_due(j, now_ms);
    assert(j->handed <= j->taken);
    if (j->taken > j->handed && j->waiting_ms == UINT64_MAX)
        j->waiting_ms = now_ms;
    if (j->under_way || j->failed || (!sync && !j->cut && may_grow(j, now_ms)))
        return NULL;
    if (j->frame.count > 0)
        end_frame(j);
    if (j->filling.len == 0 && now_ms >= j->frame_ms + j->config.mark_ms)
        add_mark(j);
    if (j->failed ||
        (j->filling.len == 0 && !sync && !j->cut && !looks_for_room(j, now_ms)))
        return NULL;
    assert(j->frame.count == 0 && !j->cutting);
    stamp(&j->filling, now_ms);
    if (j->filling.len > 0)
        j->frame_ms = now_ms;
    j->batch_ms = now_ms;
    uint64_t since_ms = j->waiting_ms;
    count_unsynced(j, sync, now_ms);
    swap_buffers(j);
    j->batch = (ids_batch){.bytes = j->writing.ptr,
                           .len = j->writing.len,
                           .last = j->taken,
                           .now_ms = now_ms,
                           .since_ms = since_ms,
                           .cut = j->cut,
                           .sync = sync && !j->syncing,
                           .sync_behind = sync && j->syncing};
    j->handed = j->taken;
    j->written_bytes += j->batch.len;
    assert(j->batch.len % IDS_FRAME_ALIGN == 0);
    assert(!j->batch.sync || !j->batch.sync_behind);
    j->cutting = j->cut;
    j->cut = j->sync = false;
    j->under_way = true;
    return &j->batch;
}

void ids_journal_done(ids_journal *j, const ids_batch_done *done) {
    assert(j->under_way);
    assert(done->failed || done->durable <= j->batch.last);
    j->under_way = false;
    j->free_bytes = done->free_bytes;
    if (done->failed) {
        j->failed = true;
        return;
    }
    ids_journal_synced(j, done->durable);
    j->end = done->end;
    if (j->cutting)
        j->cut_at = done->cut;
    j->cutting = false;
}

void ids_journal_synced(ids_journal *j, uint64_t durable) {
    assert(durable >= j->durable && durable <= j->handed);
    j->durable = durable;
    if (j->syncing && durable >= j->sync_covers) {
        j->syncing = false;
        j->unsynced_ms = j->later_ms;
        j->later_ms = UINT64_MAX;
    }
    if (durable == j->handed)
        j->unsynced_ms = j->later_ms = UINT64_MAX;
    assert(j->syncing || j->later_ms == UINT64_MAX);
}

uint64_t ids_journal_next_ms(const ids_journal *j) {
    uint64_t next_ms = j->frame_ms + j->config.mark_ms;
    if (j->under_way || j->failed)
        return UINT64_MAX;
    if (j->config.fsync != IDS_FSYNC_ALWAYS && j->waiting_ms != UINT64_MAX &&
        j->waiting_ms + IDS_LINGER_MS < next_ms)
        next_ms = j->waiting_ms + IDS_LINGER_MS;
    if (j->config.fsync == IDS_FSYNC_EVERYSEC && j->taken > j->durable &&
        !j->syncing && j->sync_ms + IDS_EVERYSEC_MS < next_ms)
        next_ms = j->sync_ms + IDS_EVERYSEC_MS;
    if (ids_journal_refuses_claims(j) && j->batch_ms + IDS_LOOK_MS < next_ms)
        next_ms = j->batch_ms + IDS_LOOK_MS;
    return next_ms;
}

bool ids_journal_waits(const ids_journal *j, uint64_t now_ms) {
    uint64_t since_ms =
        j->unsynced_ms < j->waiting_ms ? j->unsynced_ms : j->waiting_ms;
    if (j->config.fsync == IDS_FSYNC_ALWAYS || j->failed)
        return true;
    return j->config.fsync == IDS_FSYNC_EVERYSEC && since_ms != UINT64_MAX &&
           now_ms >= since_ms + IDS_EVERYSEC_MS_MAX;
}

uint64_t ids_journal_watermark(ids_journal *j, uint64_t now_ms) {
    if (!ids_journal_waits(j, now_ms))
        j->passed = j->taken;
    else if (j->durable > j->passed)
        j->passed = j->durable;
    assert(j->passed >= j->durable && j->passed <= j->taken);
    return j->passed;
}

bool ids_journal_is_full(const ids_journal *j) {
    return j->filling.len >= j->config.backlog_bytes_max;
}

bool ids_journal_is_over(const ids_journal *j) {
    assert(j->config.backlog_bytes_max > 0);
    return j->filling.len / 2 >= j->config.backlog_bytes_max;
}

bool ids_journal_refuses_claims(const ids_journal *j) {
    return !IDS_MUTANT(IGNORES_FULL_DISK) &&
           j->free_bytes < IDS_DISK_RESERVE_BYTES;
}

bool ids_journal_has_failed(const ids_journal *j) {
    return j->failed;
}

void ids_journal_cut(ids_journal *j) {
    j->cut = true;
    j->cut_at = (ids_log_end){0};
}

const ids_log_end *ids_journal_end(const ids_journal *j) {
    return &j->end;
}

const ids_log_end *ids_journal_cut_at(const ids_journal *j) {
    return j->cut_at.segment > 0 ? &j->cut_at : NULL;
}

void ids_journal_sync(ids_journal *j) {
    j->sync = true;
}

uint64_t ids_journal_taken(const ids_journal *j) {
    return j->taken;
}

uint64_t ids_journal_durable(const ids_journal *j) {
    return j->durable;
}

size_t ids_journal_backlog_bytes(const ids_journal *j) {
    return j->filling.len + (j->under_way ? j->batch.len : 0);
}

uint64_t ids_journal_written_bytes(const ids_journal *j) {
    assert(j->written_bytes >= (j->under_way ? j->batch.len : 0));
    return j->written_bytes;
}

uint64_t ids_journal_free_bytes(const ids_journal *j) {
    return j->free_bytes;
}
