/* SPDX-License-Identifier: Apache-2.0 */
/* writer.h -- one loop's log on the disk: the side that blocks.
 *
 * No thread of its own: whoever calls it blocks for as long as the disk takes;
 * in the daemon that is the loop's log thread. It takes batches as the
 * journal (journal.h) has put them together, completes their frames, writes,
 * syncs, begins new segments. After the first error it does nothing more.
 *
 * With syncs_behind no write waits for a sync: what takes long (a sync, the
 * next segment) is handed out as a job, which another thread may carry out
 * while batches are written, and comes back. A sealed segment may then be on
 * its way to the medium while the next one is written, but only one: before
 * that one is sealed, too, the first is there. */
#ifndef IDS_WRITER_H
#define IDS_WRITER_H

#include "server/journal/fault.h"
#include "server/journal/segment.h"

/* New claims are refused when the disk has less room left than this. */
#define IDS_DISK_RESERVE_BYTES    (64ull << 20)
/* When the disk is nearly full segments are halved down to this. */
#define IDS_SEGMENT_BYTES_MIN     (256u << 10)
#define IDS_SEGMENT_BYTES_DEFAULT (64u << 20)

typedef struct ids_writer_config {
    const ids_disk *disk;
    uint64_t node;
    uint64_t epoch;
    uint64_t start_ms;
    uint32_t loop;
    uint32_t segment_bytes; /* the largest; it holds the largest frame and
                             * IDS_SEGMENT_EXTRA. A log's first ones are
                             * smaller */
    bool zeroes_ahead;      /* syncs are many: write each segment once before it
                             * is needed, so that they have less to do */
    bool is_tight;          /* the first one is as small as may be */
    bool syncs_behind;      /* nobody waits for syncs: see above */
    /* Waits until no job is out any more, and gives them back (the _done
     * calls below). NULL: none ever is when a batch is carried out. */
    void (*await_disk)(void *ctx);
    void *await_disk_ctx;
} ids_writer_config;

/* What a segment needs besides its batches: header and seal. */
#define IDS_SEGMENT_EXTRA (IDS_FILE_HEAD_BYTES + IDS_FRAME_MIN_BYTES)

/* The next segment can't be made, for a reason that may pass
 * (ids_fault_may_pass): waits a while. False: it is not to be tried again. */
typedef struct ids_writer_patience {
    bool (*wait)(void *ctx, const ids_fault *fault); /* NULL: false */
    void *ctx;
} ids_writer_patience;

typedef struct ids_segment_file {
    int file; /* -1: none */
    ids_file_head head;
} ids_segment_file;

typedef struct ids_writer {
    ids_writer_config config;
    ids_writer_patience patience; /* whoever runs it may set it */
    ids_segment_file now, ahead;
    ids_segment_file old;     /* sealed, and perhaps not on the medium */
    bool syncing, makes_next; /* such a job is out */
    ids_log_end end;          /* what is written */
    ids_log_end synced;       /* what is on the medium */
    uint64_t free_bytes;
    uint32_t zeroed_at; /* of ahead; up to there its blocks were written */
    ids_fault fault;    /* kind NONE as long as all is well */
} ids_writer;

/* Frames with blank heads, one behind the other, that a log thread carries
 * out; they borrow until it is done. */
typedef struct ids_batch {
    uint8_t *bytes;
    size_t len;
    uint64_t last; /* the number of its last change, or of the one before */
    uint64_t now_ms;
    uint64_t since_ms; /* the oldest change in it was made */
    bool cut;          /* begin a new segment first: a snapshot starts here */
    bool sync;         /* and have it on the medium before it is done */
    bool sync_behind;  /* or soon after it: ids_writer_sync_begin */
} ids_batch;

typedef struct ids_batch_done {
    uint64_t written; /* up to which number */
    uint64_t durable;
    ids_log_end cut; /* of a batch with cut: where the log began anew */
    ids_log_end end; /* of what is written */
    uint64_t free_bytes;
    bool failed; /* the writer's fault says why; the process has to stop */
} ids_batch_done;

/* So small the first segment may be, on a full disk. */
uint32_t ids_writer_first_bytes_min(uint32_t segment_bytes);

/* Creates the log's first segment; false: see fault. The folder is the
 * caller's to sync. */
bool ids_writer_open(ids_writer *writer, const ids_writer_config *config);

ids_batch_done ids_writer_carry_out(ids_writer *writer, const ids_batch *batch);

/* What can be done after a batch, when nobody waits: the next segment is made
 * ready, a part of it at a time. With syncs_behind that is a job. */
void ids_writer_prepare(ids_writer *writer);

/* Has everything that was written on the medium. False: see fault. */
bool ids_writer_sync(ids_writer *writer);

/* Jobs. begin: there is one, and it is yours to carry out, on any thread,
 * while this writer goes on; at most one of each kind is out. done gives it
 * back. */
typedef struct ids_sync_job {
    const ids_disk *disk;
    int files[2]; /* -1: none */
    ids_log_end end;
    int error;
} ids_sync_job;

bool ids_writer_sync_begin(ids_writer *writer, ids_sync_job *job);
void ids_sync_carry_out(ids_sync_job *job);
void ids_writer_sync_done(ids_writer *writer, const ids_sync_job *job);

/* A sealed segment waits for one. */
static inline bool ids_writer_wants_sync(const ids_writer *writer) {
    return writer->old.file >= 0;
}

typedef struct ids_next_job {
    ids_writer maker; /* stands for the writer meanwhile */
} ids_next_job;

bool ids_writer_next_begin(ids_writer *writer, ids_next_job *job);
void ids_next_carry_out(ids_next_job *job);
void ids_writer_next_done(ids_writer *writer, const ids_next_job *job);

void ids_writer_close(ids_writer *writer);

#endif
