/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h -- which keys one loop has changed last: the key ring.
 *
 * Pure. It has keys and no records: those are in the table. Each entry says in
 * which epoch the key was changed, in which stream of that epoch's primary and
 * with which number; or that a join by key wrote it in that epoch
 * (IDS_KEYS_TOUCHED). The oldest give way, and what is let go is remembered as
 * numbers, so that nobody takes the rest for all there was (K1, K2).
 *
 * A stream is a loop of an epoch's primary, the ring is of a loop of this
 * node: entries of several streams are in it. Epochs in it never fall. */
#ifndef IDS_PEER_KEYS_H
#define IDS_PEER_KEYS_H

#include "proto/bytes.h"
#include "proto/terms.h"

#include <stdbool.h>

/* A primary with more loops is joined with a full copy. */
#define IDS_KEYS_STREAMS_MAX 64u
#define IDS_KEYS_TOUCHED     UINT32_MAX

#define IDS_KEY_RING_BYTES_MIN 256u
/* All rings of a node together; some 10^6 keys. */
#define IDS_KEY_RINGS_BYTES    (64u << 20)

/* A change: its epoch, stream and number. Its number may be said too large,
 * never too small. */
typedef struct ids_key_at {
    uint64_t epoch;
    uint64_t number;
    uint32_t stream; /* or IDS_KEYS_TOUCHED: its number does not count */
} ids_key_at;

typedef struct ids_key_ring {
    uint8_t *bytes; /* NULL: nobody asked for one, nothing is noted */
    size_t cap;
    uint64_t head, tail; /* offsets that only grow; modulo cap a place */
    /* Of what was let go: the latest epoch, and the last number of each of its
     * streams. */
    uint64_t gone_epoch;
    uint64_t gone[IDS_KEYS_STREAMS_MAX];
    uint64_t let_go; /* entries, in all */
} ids_key_ring;

/* Up to where two nodes have the same: an epoch, and a number of each of its
 * streams. */
typedef struct ids_common {
    uint64_t epoch;
    uint32_t streams;
    uint64_t at[IDS_KEYS_STREAMS_MAX];
} ids_common;

/* False: no memory. */
bool ids_key_ring_init(ids_key_ring *ring, size_t bytes);
void ids_key_ring_fini(ids_key_ring *ring);

/* This key was changed. A name that does not fit a quarter of the ring is let
 * go at once, and so is all before it. */
void ids_key_ring_note(ids_key_ring *ring, const ids_key_at *at, idp_slice ns,
                       idp_slice key);

/* Nothing beyond common was let go (K3). */
bool ids_key_ring_reaches(const ids_key_ring *ring, const ids_common *common);

/* Has it to be sent (K3)? What was changed beyond, or in a later epoch, or
 * touched in one. */
bool ids_key_is_beyond(const ids_key_at *at, const ids_common *common);

typedef struct ids_key_entry {
    ids_key_at at;
    idp_slice ns, key; /* borrowed of the ring, until the next note */
} ids_key_entry;

/* The entry at or behind this offset, which moves on; 0: the oldest. False: no
 * more. */
bool ids_key_ring_next(const ids_key_ring *ring, uint64_t *offset,
                       ids_key_entry *entry);

/* --- a list of keys ------------------------------------------------------- */

/* On the wire: u8 length of the namespace, u16 of the key, both. */
#define IDS_KEY_LISTED_BYTES_MAX (3 + 1 + IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX)

/* A replica asks a loop for no more than that. */
#define IDS_KEYS_ASKED_BYTES_MAX IDS_KEY_RINGS_BYTES

/* False: no memory, nothing was appended. */
bool ids_key_append(idp_bytes *to, idp_slice ns, idp_slice key);

/* The key at *at, which moves on; it borrows from list. False: that is the
 * end, if *at is list.len; else it makes no sense. */
bool ids_key_read(idp_slice list, size_t *at, idp_slice *ns, idp_slice *key);

/* Of keys that come again and again most are recognised. It holds some and
 * compares whole keys. */
#define IDS_KEY_FILTER_SLOTS 1024u

typedef struct ids_key_filter {
    idp_bytes slot[IDS_KEY_FILTER_SLOTS];
} ids_key_filter;

/* NULL: no memory; then every key is new. */
ids_key_filter *ids_key_filter_new(void);
void ids_key_filter_free(ids_key_filter *filter);
/* False: this key was asked for before. */
bool ids_key_filter_is_new(ids_key_filter *filter, idp_slice ns, idp_slice key);

#endif
