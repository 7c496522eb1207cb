/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c -- see keys.h. Pure. */
#include "server/peer/keys.h"

#include "server/base/pack.h"
#include "server/core/receipt.h"
#include "server/peer/mutant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* An entry is in one piece; where the ring's end is too near, a mark in place
 * of its epoch says "go on in front". */
#define WRAP_EPOCH UINT64_MAX
#define WORD_BYTES sizeof(uint64_t)

typedef struct entry_head {
    uint64_t epoch;
    uint64_t number;
    uint32_t stream;
    uint16_t key_len;
    uint16_t ns_len;
} entry_head;

_Static_assert(sizeof(entry_head) % WORD_BYTES == 0, "entries are aligned");
_Static_assert(IDS_KEY_LISTED_BYTES_MAX >=
                   3 + IDS_RECEIPT_NS_BYTES + IDP_KEY_BYTES_MAX,
               "a list has room for the longest namespace");

bool ids_key_ring_init(ids_key_ring *ring, size_t bytes) {
    if (bytes < IDS_KEY_RING_BYTES_MIN)
        bytes = IDS_KEY_RING_BYTES_MIN;
    bytes -= bytes % WORD_BYTES;
    *ring = (ids_key_ring){.bytes = malloc(bytes), .cap = bytes};
    assert(ring->cap >= IDS_KEY_RING_BYTES_MIN && ring->head == 0);
    return ring->bytes != NULL;
}

void ids_key_ring_fini(ids_key_ring *ring) {
    free(ring->bytes);
    *ring = (ids_key_ring){0};
}

static uint64_t key_entry_bytes(const entry_head *head) {
    uint64_t bytes = sizeof *head + head->ns_len + head->key_len;
    assert(head->key_len <= IDP_KEY_BYTES_MAX);
    assert(head->ns_len <= IDS_RECEIPT_NS_BYTES);
    return (bytes + WORD_BYTES - 1) / WORD_BYTES * WORD_BYTES;
}

/* Where the entry at or behind this offset begins. */
static uint64_t key_entry_begin(const ids_key_ring *ring, uint64_t offset) {
    uint64_t epoch;
    assert(offset < ring->head && offset % WORD_BYTES == 0);
    memcpy(&epoch, ring->bytes + offset % ring->cap, sizeof epoch);
    return epoch == WRAP_EPOCH ? offset + ring->cap - offset % ring->cap
                               : offset;
}

static void key_head_at(const ids_key_ring *ring, uint64_t offset,
                        entry_head *head) {
    assert(offset < ring->head &&
           ring->cap - offset % ring->cap >= sizeof *head);
    memcpy(head, ring->bytes + offset % ring->cap, sizeof *head);
    assert(head->epoch != 0 && head->epoch != WRAP_EPOCH);
}

/* What is known of an epoch whose entries go is less from now on, and of the
 * epochs before it nothing. */
static void note_gone(ids_key_ring *ring, const entry_head *head) {
    ring->let_go++;
    assert(head->epoch != 0 && ring->let_go > 0);
    if (IDS_RULE_OFF(K_LOW))
        return;
    if (head->epoch > ring->gone_epoch) {
        ring->gone_epoch = head->epoch;
        memset(ring->gone, 0, sizeof ring->gone);
    }
    if (head->epoch < ring->gone_epoch || head->stream == IDS_KEYS_TOUCHED)
        return;
    assert(head->stream < IDS_KEYS_STREAMS_MAX);
    if (head->number > ring->gone[head->stream])
        ring->gone[head->stream] = head->number;
}

static void drop_oldest_key(ids_key_ring *ring) {
    entry_head head;
    assert(ring->tail < ring->head);
    ring->tail = key_entry_begin(ring, ring->tail);
    assert(ring->tail < ring->head);
    key_head_at(ring, ring->tail, &head);
    note_gone(ring, &head);
    ring->tail += key_entry_bytes(&head);
    assert(ring->tail <= ring->head);
}

/* So many bytes in one piece at head; the oldest give way. */
static void make_room_for_key(ids_key_ring *ring, uint64_t bytes) {
    uint64_t to_end = ring->cap - ring->head % ring->cap;
    uint64_t need = bytes <= to_end ? bytes : bytes + to_end;
    static const uint64_t mark = WRAP_EPOCH;
    assert(bytes % WORD_BYTES == 0 && bytes <= ring->cap / 4);
    while (ring->head + need - ring->tail > ring->cap)
        drop_oldest_key(ring);
    if (bytes <= to_end)
        return;
    memcpy(ring->bytes + ring->head % ring->cap, &mark, sizeof mark);
    if (ring->tail == ring->head) /* empty: nothing needs the mark */
        ring->tail += to_end;
    ring->head += to_end;
    assert(ring->head % ring->cap == 0);
}

static void let_go_of_all_keys(ids_key_ring *ring, const entry_head *last) {
    while (ring->tail < ring->head)
        drop_oldest_key(ring);
    note_gone(ring, last);
    assert(ring->tail == ring->head);
}

void ids_key_ring_note(ids_key_ring *ring, const ids_key_at *at, idp_slice ns,
                       idp_slice key) {
    bool touched =
        at->stream == IDS_KEYS_TOUCHED || at->stream >= IDS_KEYS_STREAMS_MAX;
    entry_head head = {.epoch = at->epoch,
                       .number = touched ? 0 : at->number,
                       .stream = touched ? IDS_KEYS_TOUCHED : at->stream,
                       .key_len = (uint16_t)key.len,
                       .ns_len = (uint16_t)ns.len};
    uint8_t *to;
    if (ring->bytes == NULL)
        return;
    assert(at->epoch != 0 && at->epoch != WRAP_EPOCH);
    assert(ns.len <= IDS_RECEIPT_NS_BYTES && key.len <= IDP_KEY_BYTES_MAX);
    if (key_entry_bytes(&head) > ring->cap / 4) {
        let_go_of_all_keys(ring, &head);
        return;
    }
    make_room_for_key(ring, key_entry_bytes(&head));
    to = ring->bytes + ring->head % ring->cap;
    memcpy(to, &head, sizeof head);
    if (ns.len > 0)
        memcpy(to + sizeof head, ns.ptr, ns.len);
    memcpy(to + sizeof head + ns.len, key.ptr, key.len);
    ring->head += key_entry_bytes(&head);
    assert(ring->head - ring->tail <= ring->cap);
}

bool ids_key_ring_reaches(const ids_key_ring *ring, const ids_common *common) {
    if (ring->bytes == NULL)
        return false;
    assert(common->epoch != 0 && ring->tail <= ring->head);
    if (ring->gone_epoch != common->epoch)
        return ring->gone_epoch < common->epoch;
    for (uint32_t k = 0; k < IDS_KEYS_STREAMS_MAX; k++)
        if (ring->gone[k] > (k < common->streams ? common->at[k] : 0))
            return false;
    return true;
}

bool ids_key_is_beyond(const ids_key_at *at, const ids_common *common) {
    assert(common->epoch != 0 && common->streams <= IDS_KEYS_STREAMS_MAX);
    if (at->epoch != common->epoch)
        return at->epoch > common->epoch && !IDS_RULE_OFF(K_LATER);
    return at->stream != IDS_KEYS_TOUCHED &&
           (at->stream >= common->streams ||
            at->number > common->at[at->stream]);
}

bool ids_key_ring_next(const ids_key_ring *ring, uint64_t *offset,
                       ids_key_entry *entry) {
    entry_head head;
    if (*offset < ring->tail)
        *offset = ring->tail;
    if (*offset >= ring->head)
        return false;
    assert(*offset >= ring->tail && *offset % WORD_BYTES == 0);
    *offset = key_entry_begin(ring, *offset);
    key_head_at(ring, *offset, &head);
    const uint8_t *text = ring->bytes + *offset % ring->cap + sizeof head;
    *entry = (ids_key_entry){.at = {head.epoch, head.number, head.stream},
                             .ns = {text, head.ns_len},
                             .key = {text + head.ns_len, head.key_len}};
    *offset += key_entry_bytes(&head);
    return true;
}

/* --- a list of keys ------------------------------------------------------- */

#define KEY_HEAD_BYTES 3

bool ids_key_append(idp_bytes *to, idp_slice ns, idp_slice key) {
    size_t bytes = KEY_HEAD_BYTES + ns.len + key.len;
    uint8_t *at;
    assert(ns.len <= UINT8_MAX && key.len <= UINT16_MAX);
    if (!idp_bytes_reserve(to, bytes))
        return false;
    at = to->ptr + to->len;
    at[0] = (uint8_t)ns.len;
    at[1] = (uint8_t)key.len;
    at[2] = (uint8_t)(key.len >> 8);
    if (ns.len > 0)
        memcpy(at + KEY_HEAD_BYTES, ns.ptr, ns.len);
    memcpy(at + KEY_HEAD_BYTES + ns.len, key.ptr, key.len);
    to->len += bytes;
    assert(to->len <= to->cap);
    return true;
}

bool ids_key_read(idp_slice list, size_t *at, idp_slice *ns, idp_slice *key) {
    const uint8_t *from = list.ptr + *at;
    size_t left = list.len - *at;
    assert(*at <= list.len);
    if (left < KEY_HEAD_BYTES)
        return false;
    ns->len = from[0];
    key->len = from[1] | (size_t)from[2] << 8;
    if (ns->len > IDS_RECEIPT_NS_BYTES || key->len < IDP_KEY_BYTES_MIN ||
        key->len > IDP_KEY_BYTES_MAX ||
        left - KEY_HEAD_BYTES < ns->len + key->len)
        return false;
    ns->ptr = from + KEY_HEAD_BYTES;
    key->ptr = ns->ptr + ns->len;
    if (ids_receipt_is(*ns) && ns->ptr[0] > IDP_NS_BYTES_MAX)
        return false;
    *at += KEY_HEAD_BYTES + ns->len + key->len;
    assert(*at <= list.len);
    return true;
}

ids_key_filter *ids_key_filter_new(void) {
    return calloc(1, sizeof(ids_key_filter));
}

void ids_key_filter_free(ids_key_filter *filter) {
    for (uint32_t i = 0; filter != NULL && i < IDS_KEY_FILTER_SLOTS; i++)
        idp_bytes_free(&filter->slot[i]);
    free(filter);
}

static uint32_t fold_key(uint32_t hash, idp_slice bytes) {
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.ptr[i]) * 16777619u;
    return hash;
}

/* Who wants two keys in one slot gets them sent twice. */
bool ids_key_filter_is_new(ids_key_filter *filter, idp_slice ns,
                           idp_slice key) {
    idp_bytes *slot;
    idp_slice held_ns, held_key;
    size_t at = 0;
    if (filter == NULL)
        return true;
    slot = &filter->slot[(fold_key(fold_key(2166136261u, ns), key) >> 8) %
                         IDS_KEY_FILTER_SLOTS];
    if (slot->len > 0 &&
        ids_key_read((idp_slice){slot->ptr, slot->len}, &at, &held_ns,
                     &held_key) &&
        held_ns.len == ns.len && held_key.len == key.len &&
        memcmp(held_ns.ptr, ns.ptr, ns.len) == 0 &&
        memcmp(held_key.ptr, key.ptr, key.len) == 0)
        return false;
    slot->len = 0;
    if (!ids_key_append(slot, ns, key))
        slot->len = 0;
    return true;
}
