/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h -- the unit of the peer's wire: length, checksum, epoch, session.
 *
 * Pure. Nothing that a frame announces is believed before it is there, and
 * nothing over the reader's limit is waited for. Little-endian:
 *
 *      0  u32 body_bytes           24  u64 session
 *      4  u32 crc32c of the rest   32  u64 number
 *      8  u8  kind                 40  body
 *      9  u8  flags
 *     10  u16 stream
 *     12  u32 count
 *     16  u64 epoch
 */
#ifndef IDS_PEER_FRAME_H
#define IDS_PEER_FRAME_H

#include "proto/bytes.h"
#include "server/core/shard.h"

#define IDS_PF_HEAD_BYTES     40
#define IDS_PF_BODY_BYTES_LOW 4096        /* before a link is open */
#define IDS_PF_APPEND_BYTES   (64u << 10) /* more changes are another frame */

typedef enum ids_pf_kind {
    /* Who dials: HELLO, PROOF; who listens: WELCOME. See link.h. */
    IDS_PF_HELLO = 1,
    IDS_PF_WELCOME,
    IDS_PF_PROOF,
    /* Replica to primary. */
    IDS_PF_START, /* number: go on behind it; flag SYNC: a full copy first; flag
                     KEYS: first the records of keys, body: see history.h,
                     ids_common_write */
    IDS_PF_KEYS,  /* count; keys of this stream that were changed here since
                     what both have: see keys.h. Before START */
    IDS_PF_ACK,   /* number: all up to it would outlive the primary */
    /* Primary to replica. */
    IDS_PF_HISTORY,    /* 16 bytes by which keys are hashed, then the epochs in
                          which the primary was whole: see history.h. On stream
                          0, as the session begins */
    IDS_PF_APPEND,     /* number: of its first change; count; changes */
    IDS_PF_SYNC_BEGIN, /* number: the copy has at least all up to it; count:
                          of the records that will come, about */
    IDS_PF_SYNC_CHUNK, /* count; changes without a number. In a join by key
                          such as say that there is no record, too */
    IDS_PF_SYNC_END,   /* number: with all up to it the copy is whole */
    IDS_PF_ADMIT,      /* you are in the in-sync set; number: the decision's.
                          Back: that is on record here, too */
    IDS_PF_SWITCHOVER, /* number: the epoch to be primary in */
    /* Either way. */
    IDS_PF_DETACHED,  /* you are no member from this decision on; back: it is
                         on record here, too */
    IDS_PF_HEARTBEAT, /* number, of a replica: for how many ms its medium has
                         been behind */
    IDS_PF_REFUSE,    /* count: why, see refusal.h; 0: a lower epoch, and this
                         is the higher one. The link is closed */
    IDS_PF_SETTINGS,  /* number: the digest of what both should have alike, from
                         now on; on stream 0 */
    IDS_PF_KIND_COUNT
} ids_pf_kind;

#define IDS_PF_FLAG_SYNC    1u /* START */
#define IDS_PF_FLAG_PRIMARY 2u /* HELLO, WELCOME: what the sender is */
#define IDS_PF_FLAG_KEYS    8u /* START */
#define IDS_PF_FLAG_SECRET  4u /* HELLO, WELCOME: it demands proofs */

/* HELLO: count is the highest version of this wire that the dialler speaks,
 * number the lowest; WELCOME: count is the one that is spoken. 0.1 said 0. */
#define IDS_PF_WIRE 2u

/* No number of a change or of a decision is larger. */
#define IDS_PF_NUMBER_MAX ((1ull << 53) - 1)

typedef struct ids_pf {
    ids_pf_kind kind;
    uint32_t flags;
    uint32_t stream;
    uint32_t count;
    uint64_t epoch;
    uint64_t session;
    uint64_t number;
    idp_slice body;
} ids_pf;

/* Appends the frame with its body; all or nothing. False: no memory. */
bool ids_pf_append(idp_bytes *to, const ids_pf *frame);

/* For a body that grows in place: begin reserves the head and returns where
 * the frame is, seal writes the head. */
bool ids_pf_begin(idp_bytes *to, size_t *frame_at);
void ids_pf_seal(idp_bytes *to, size_t frame_at, const ids_pf *frame);

typedef enum ids_pf_read_status {
    IDS_PF_WHOLE,
    IDS_PF_PARTIAL,
    IDS_PF_BROKEN
} ids_pf_read_status;

/* Of a frame that has only begun: for which stream it says that it is. Nothing
 * of it is believed yet. */
#define IDS_PF_PEEK_BYTES 12
uint32_t ids_pf_peek_stream(const uint8_t bytes[static IDS_PF_PEEK_BYTES]);

/* Reads the frame at the head of bytes; its body borrows from them. */
ids_pf_read_status ids_pf_read(const uint8_t *bytes, size_t len,
                               size_t body_bytes_max, ids_pf *frame,
                               size_t *frame_bytes);

/* What a frame's head says, besides its length and checksum. */
#define IDS_PF_SIGNED_BYTES (IDS_PF_HEAD_BYTES - 8)
void ids_pf_signed(const ids_pf *frame, uint8_t to[static IDS_PF_SIGNED_BYTES]);

#endif
