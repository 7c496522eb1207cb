/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h -- reading one segment of a log, and telling its end from a wound.
 *
 * Pure: the segment's bytes lie in memory. */
#ifndef IDS_SEGMENT_H
#define IDS_SEGMENT_H

#include "server/journal/change.h"
#include "server/journal/frame.h"

/* Segments are this long at most: an offset fits into 32 bits. */
#define IDS_SEGMENT_BYTES_MAX (1u << 30)
/* No frame's log time is after this; later ones are nonsense. */
#define IDS_LOG_MS_MAX        (1ull << 40)

/* Where a log was read or written up to. */
typedef struct ids_log_end {
    uint64_t segment;
    uint32_t at;     /* where the next frame goes */
    uint32_t chain;  /* the last frame's crc */
    uint64_t number; /* of the last change; 0: none yet */
} ids_log_end;

typedef struct ids_segment_reader {
    const uint8_t *bytes;
    size_t len;
    ids_file_head head;
    ids_log_end end;  /* moves along */
    const char *what; /* what is wrong */
} ids_segment_reader;

typedef enum ids_segment_step {
    IDS_SEGMENT_FRAME,  /* frame is set, its body at end.at before the step */
    IDS_SEGMENT_SEALED, /* the log goes on in the next segment */
    IDS_SEGMENT_OVER,   /* nothing behind it */
    IDS_SEGMENT_TORN,   /* what is behind it was never acknowledged */
    IDS_SEGMENT_CORRUPT /* what says why, end.at where */
} ids_segment_step;

/* before: the log's end in the segment before it. bytes borrow until the
 * reading ends. */
void ids_segment_begin(ids_segment_reader *reader, const uint8_t *bytes,
                       size_t len, const ids_file_head *head,
                       const ids_log_end *before);

ids_segment_step ids_segment_next(ids_segment_reader *reader, ids_frame *frame,
                                  const uint8_t **body);

/* Whether a whole frame of this segment, from offset `from` on, says that the
 * log was on the medium past there. */
bool ids_segment_tells_synced(const uint8_t *bytes, size_t len,
                              const ids_file_head *head, size_t from,
                              const ids_log_end *past);

/* The changes of a frame's body, one by one. */
typedef struct ids_changes {
    const uint8_t *at;
    size_t left_bytes;
    uint32_t left;
    uint64_t number;
} ids_changes;

ids_changes ids_changes_of(const ids_frame *frame, const uint8_t *body);

/* False at the end, and where the body makes no sense: ids_changes_are_done
 * tells which. */
bool ids_changes_next(ids_changes *changes, ids_change *change);
bool ids_changes_are_done(const ids_changes *changes);

#endif
