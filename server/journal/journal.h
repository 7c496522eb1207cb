/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h -- one loop's journal, the side that never blocks.
 *
 * Sans I/O: it takes changes on the loop's thread, puts them together into
 * batches for whoever writes (writer.h, on another thread), and says up to
 * which change replies may leave. No clock, no thread, no file. One thread at
 * a time; a batch that was handed over belongs to the writer until done.
 *
 *     shard's hook  -> ids_journal_take
 *     end of turn  -> ids_journal_hand_over -> the writer's thread
 *     writer is through -> ids_journal_done -> replies up to the watermark */
#ifndef IDS_JOURNAL_H
#define IDS_JOURNAL_H

#include "server/journal/writer.h"

/* When a change counts as kept. */
#define IDS_FSYNCS(X)                                                        \
    X(ALWAYS, "always")     /* it is on the medium */                        \
    X(EVERYSEC, "everysec") /* it will be within a second; if the disk can't \
                             * keep up with that, it has to be there */      \
    X(NO, "no")             /* when the system pleases */

typedef enum ids_fsync {
#define X(name, text) IDS_FSYNC_##name,
    IDS_FSYNCS(X)
#undef X
        IDS_FSYNC_COUNT
} ids_fsync;

extern const char *const ids_fsync_names[IDS_FSYNC_COUNT];

/* False: no such word. */
bool ids_fsync_parse(const char *word, ids_fsync *fsync);

typedef struct ids_journal ids_journal;

typedef struct ids_journal_config {
    ids_fsync fsync;
    size_t backlog_bytes_max; /* see ids_journal_is_full */
    uint64_t mark_ms; /* a log that is idle for so long says what time it is:
                       * deadlines don't stretch over more than that */
    uint64_t now_ms;
    uint64_t free_bytes; /* on the disk, as the writer was opened */
} ids_journal_config;

#define IDS_BACKLOG_BYTES_DEFAULT (32u << 20)
#define IDS_MARK_MS_DEFAULT       10000
#define IDS_EVERYSEC_MS           1000
/* everysec, no: how long changes may wait for company before they are
 * written. */
#define IDS_LINGER_MS             10
/* A nearly full disk is looked at again that often. */
#define IDS_LOOK_MS               200
/* everysec: replies wait once the oldest change that isn't on the medium is
 * older than this. */
#define IDS_EVERYSEC_MS_MAX       2000

/* A segment of this size takes every batch of changes whose results are
 * within the limit. At least IDS_SEGMENT_BYTES_MIN. */
uint32_t ids_journal_segment_bytes_min(size_t result_bytes_max);

/* NULL: no memory. */
ids_journal *ids_journal_new(const ids_journal_config *config);
void ids_journal_free(ids_journal *journal);

/* The shard's on_change: ctx is the journal, numbers are 1, 2, 3 ... One that
 * is encoded is taken as these bytes. */
void ids_journal_take(void *ctx, const ids_change *change);

/* The next batch; NULL: nothing to do now, or one is under way. Call it at
 * the end of each turn, and when ids_journal_next_ms has come. */
const ids_batch *ids_journal_hand_over(ids_journal *journal, uint64_t now_ms);
void ids_journal_done(ids_journal *journal, const ids_batch_done *done);

/* Between batches: all up to this number has come to the medium. */
void ids_journal_synced(ids_journal *journal, uint64_t durable);

/* When ids_journal_hand_over has to be called even if nothing happens;
 * UINT64_MAX: not before a done. */
uint64_t ids_journal_next_ms(const ids_journal *journal);

/* A reply that was made as this was the shard's last change's number may
 * leave. It never falls. */
uint64_t ids_journal_watermark(ids_journal *journal, uint64_t now_ms);

/* Whether replies wait for the watermark now. False: they leave at once. */
bool ids_journal_waits(const ids_journal *journal, uint64_t now_ms);

/* Too much waits for the disk: serve no calls until a done. What a turn has
 * begun may still be taken. */
bool ids_journal_is_full(const ids_journal *journal);

/* So much waits that even what is on its way from other loops has to be turned
 * away: twice what makes it full. */
bool ids_journal_is_over(const ids_journal *journal);

/* The disk is nearly full: refuse new claims; all else goes on. */
bool ids_journal_refuses_claims(const ids_journal *journal);

/* The disk failed, or memory for a change did: the process has to stop
 * without sending another reply. */
bool ids_journal_has_failed(const ids_journal *journal);

/* A snapshot begins: every change from now on is in a segment that is new.
 * ids_journal_cut_at is where it begins; NULL until it is there. */
void ids_journal_cut(ids_journal *journal);
const ids_log_end *ids_journal_cut_at(const ids_journal *journal);

/* Where the log ended as the last batch was done: all up to there is written,
 * and nothing of it changes any more. Segment 0: none was yet. */
const ids_log_end *ids_journal_end(const ids_journal *journal);

/* Syncs soon, whatever the policy; for the end of a snapshot. */
void ids_journal_sync(ids_journal *journal);

/* For who watches: bytes that wait for the writer or are with it, bytes that
 * were ever handed to it, and room on the disk as it last said. */
size_t ids_journal_backlog_bytes(const ids_journal *journal);
uint64_t ids_journal_written_bytes(const ids_journal *journal);
uint64_t ids_journal_free_bytes(const ids_journal *journal);

/* Numbers: of the last change taken, and of the last on the medium. */
uint64_t ids_journal_taken(const ids_journal *journal);
uint64_t ids_journal_durable(const ids_journal *journal);

#endif
