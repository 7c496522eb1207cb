/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h -- the unit of log and snapshot: a checksummed run of changes.
 *
 * Pure. Every frame is bound to its file (its checksum starts from the file
 * header's, which holds node, epoch, loop and number) and to the frame before
 * it, whose checksum it repeats. Little-endian:
 *
 *      0  u32 kind               32  u32 synced_segment
 *      4  u32 body_bytes         36  u32 synced_at
 *      8  u64 epoch              40  u32 count
 *     16  u64 first              44  u32 previous
 *     24  u64 now_ms             48  u32 body_crc, of body and fill
 *                                52  u32 crc, of the 52 bytes before
 *     56  body: count changes one behind the other, then 1 to 8 bytes of fill
 *         up to a multiple of 8
 *
 * Files are zero where nothing was written yet. A frame's first bytes and its
 * fill never are, so that a write of which sectors are missing can be told
 * from one that a flipped bit has spoiled: see ids_frame_is_torn. */
#ifndef IDS_FRAME_H
#define IDS_FRAME_H

#include "server/journal/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_FORMAT_VERSION       1
#define IDS_FRAME_HEAD_BYTES     56
#define IDS_FRAME_ALIGN          8
#define IDS_FRAME_MIN_BYTES      (IDS_FRAME_HEAD_BYTES + IDS_FRAME_ALIGN)
#define IDS_FRAME_BODY_BYTES_MAX (1u << 31)
#define IDS_SECTOR_BYTES         512

typedef enum ids_frame_kind {
    IDS_FRAME_CHANGES = 0x31434449, /* "IDC1"; without any: a mark of time */
    IDS_FRAME_SEAL = 0x31534449,    /* "IDS1"; the log goes on in the next */
    IDS_FRAME_RECORDS = 0x31524449, /* "IDR1"; a snapshot's block */
    IDS_FRAME_END = 0x31454449      /* "IDE1"; the snapshot is whole; first:
                                     * how many records it has */
} ids_frame_kind;

typedef struct ids_frame {
    uint32_t kind;
    uint32_t body_bytes;
    uint64_t epoch;
    uint64_t first;  /* the number of its first change; of a block: records
                      * in the blocks before it */
    uint64_t now_ms; /* not before any of its changes */
    /* Up to where the log was on the medium as this was written. */
    uint32_t synced_segment;
    uint32_t synced_at;
    uint32_t count;
    uint32_t previous; /* the crc of the frame before it, or 0 */
    uint32_t body_crc;
    uint32_t crc;
} ids_frame;

/* With head, body and fill. */
static inline size_t ids_frame_bytes(size_t body_bytes) {
    return IDS_FRAME_HEAD_BYTES +
           (body_bytes / IDS_FRAME_ALIGN + 1) * (size_t)IDS_FRAME_ALIGN;
}

/* Fills up behind the body; room for IDS_FRAME_ALIGN bytes is there. */
void ids_frame_fill(uint8_t *at, size_t body_bytes);

/* Writes the head before a body that stands at at + IDS_FRAME_HEAD_BYTES with
 * its fill; frame's body_crc and crc are computed. seed: the file header's
 * crc. */
void ids_frame_seal(uint8_t *at, ids_frame *frame, uint32_t seed);

/* A head before it is sealed: kind, body_bytes, count and now_ms stand where
 * they will. For bytes of our own memory. */
void ids_frame_blank(uint8_t *at, const ids_frame *frame);
ids_frame ids_frame_of_blank(const uint8_t *at);

typedef enum ids_frame_read {
    IDS_FRAME_WHOLE,
    IDS_FRAME_SHORT,    /* its head is good, the bytes end before it does */
    IDS_FRAME_BAD_HEAD, /* or the bytes end within it */
    IDS_FRAME_BAD_BODY  /* frame is set */
} ids_frame_read;

/* Reads the frame at the head of bytes and checks both checksums. */
ids_frame_read ids_frame_check(const uint8_t *bytes, size_t len, uint32_t seed,
                               ids_frame *frame);
/* The head alone: WHOLE, BAD_HEAD. */
ids_frame_read ids_frame_check_head(const uint8_t *bytes, size_t len,
                                    uint32_t seed, ids_frame *frame);

/* bytes[at] is where a frame should be and is not whole. Can a write that was
 * cut off, or of which sectors never arrived, have left it so? False: what
 * was written has changed. */
bool ids_frame_is_torn(const uint8_t *bytes, size_t len, size_t at,
                       uint32_t seed);

/* The header of a file of ours, 64 bytes; its crc is the frames' seed. */
#define IDS_FILE_HEAD_BYTES 64
#define IDS_LOG_MAGIC       "idemlog\n"
#define IDS_SNAPSHOT_MAGIC  "idemsnap"

typedef struct ids_file_head {
    uint64_t node;     /* the folder's */
    uint64_t epoch;    /* of the run that writes it */
    uint64_t number;   /* a log's segment, from 1; a snapshot's generation */
    uint64_t start_ms; /* the run's first moment, in log time */
    uint32_t loop;
    uint32_t bytes;        /* a segment's size; 0 in a snapshot */
    ids_identity identity; /* of the file as it was made */
    uint32_t crc;
} ids_file_head;

typedef enum ids_file_read {
    IDS_FILE_OK,
    IDS_FILE_FOREIGN,
    IDS_FILE_NEWER,
    IDS_FILE_BAD
} ids_file_read;

void ids_file_head_write(uint8_t at[IDS_FILE_HEAD_BYTES], ids_file_head *head,
                         const char *magic);
ids_file_read ids_file_head_check(const uint8_t *bytes, size_t len,
                                  const char *magic, ids_file_head *head);

bool ids_is_zero(const uint8_t *bytes, size_t len);

#endif
