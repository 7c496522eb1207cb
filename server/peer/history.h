/* SPDX-License-Identifier: Apache-2.0 */
/* history.h -- the epochs in which a node was whole, and how far.
 *
 * Pure. *whole*: at the numbers `low`, one for each stream of that epoch's
 * primary, its state was that primary's; since then it has applied all changes
 * of the epoch up to `pos`, and its key rings have each of them. An epoch is
 * added when it becomes whole in it, not before; a primary is, from its first
 * number on (K2). */
#ifndef IDS_PEER_HISTORY_H
#define IDS_PEER_HISTORY_H

#include "server/peer/keys.h"

/* Of more the oldest is forgotten. */
#define IDS_HISTORY_EPOCHS_MAX 8u

typedef struct ids_whole {
    uint64_t epoch;
    uint32_t streams;
    uint64_t low[IDS_KEYS_STREAMS_MAX];
    uint64_t pos[IDS_KEYS_STREAMS_MAX];
} ids_whole;

typedef struct ids_history {
    uint32_t count;
    ids_whole of[IDS_HISTORY_EPOCHS_MAX]; /* by epoch, the latest last */
} ids_history;

/* A full copy took the place of what was here. */
void ids_history_forget(ids_history *history);

/* It is whole in this epoch, at these numbers. With more streams than
 * IDS_KEYS_STREAMS_MAX the epoch is not kept. */
void ids_history_add(ids_history *history, uint64_t epoch, uint32_t streams,
                     const uint64_t *low);

/* It is not whole in this epoch (any more). */
void ids_history_drop(ids_history *history, uint64_t epoch);

/* It has all up to this number of the epoch's stream. */
void ids_history_reached(ids_history *history, uint64_t epoch, uint32_t stream,
                         uint64_t number);

/* What this ring has let go counts. */
void ids_history_let_go(ids_history *history, const ids_key_ring *ring);

/* The last epoch that both have, and up to where both have it (K3). False: a
 * full copy is needed. */
bool ids_history_common(const ids_history *mine, const ids_history *theirs,
                        ids_common *common);

/* It is whole there, and from there on its key rings have all. */
bool ids_history_has(const ids_history *history, const ids_common *common);

/* On the wire, per epoch: u64 epoch, u32 streams, and for each u64 low, u64
 * pos. False: no memory, or it makes no sense. */
bool ids_history_write(const ids_history *history, idp_bytes *to);
bool ids_history_read(ids_history *history, idp_slice bytes);

/* Of a common point: u64 epoch, u32 streams, u64 each. */
#define IDS_COMMON_BYTES_MAX (8 + 4 + 8 * IDS_KEYS_STREAMS_MAX)
size_t ids_common_write(const ids_common *common,
                        uint8_t to[static IDS_COMMON_BYTES_MAX]);
bool ids_common_read(ids_common *common, idp_slice bytes);

#endif
