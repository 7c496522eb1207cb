/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c -- see ring.h. Each entry is a length and the bytes behind it, in
 * one piece: where the ring's end is too near, a mark says "go on in front".
 * Pure. */
#include "server/peer/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LEN_BYTES 4
#define WRAP_MARK UINT32_MAX

bool ids_ring_init(ids_ring *ring, size_t bytes, uint64_t last) {
    if (bytes < IDS_RING_BYTES_MIN)
        bytes = IDS_RING_BYTES_MIN;
    bytes -= bytes % LEN_BYTES;
    assert(bytes >= IDS_RING_BYTES_MIN);
    *ring = (ids_ring){
        .bytes = malloc(bytes), .cap = bytes, .first = last + 1, .last = last};
    return ring->bytes != NULL;
}

void ids_ring_fini(ids_ring *ring) {
    free(ring->bytes);
    *ring = (ids_ring){0};
}

static uint32_t len_at(const ids_ring *ring, uint64_t offset) {
    uint32_t len;
    assert(offset % LEN_BYTES == 0);
    memcpy(&len, ring->bytes + offset % ring->cap, LEN_BYTES);
    return len;
}

static void set_len(ids_ring *ring, uint64_t offset, uint32_t len) {
    assert(offset % LEN_BYTES == 0);
    memcpy(ring->bytes + offset % ring->cap, &len, LEN_BYTES);
}

static uint64_t whole_words(uint64_t len) {
    return LEN_BYTES + (len + LEN_BYTES - 1) / LEN_BYTES * LEN_BYTES;
}

/* Where the entry at or behind this offset begins. */
static uint64_t unwrapped(const ids_ring *ring, uint64_t offset) {
    if (offset < ring->head && len_at(ring, offset) == WRAP_MARK)
        offset += ring->cap - offset % ring->cap;
    return offset;
}

/* Offsets only grow, and what lies between them is what the ring has. */
static void check_ring(const ids_ring *ring) {
    assert(ring->tail <= ring->head && ring->head - ring->tail <= ring->cap);
    assert(ring->head % LEN_BYTES == 0);
    assert(ring->first <= ring->last + 1);
    assert(ring->first <= ring->last || ring->tail == ring->head);
}

static void drop_oldest(ids_ring *ring) {
    assert(ring->tail < ring->head);
    assert(ring->first <= ring->last);
    ring->tail = unwrapped(ring, ring->tail);
    ring->tail += whole_words(len_at(ring, ring->tail));
    ring->first++;
}

static void let_go_of_all(ids_ring *ring) {
    ring->tail = ring->head;
    ring->first = ring->last + 1;
}

/* So many bytes in one piece at head; the oldest give way. */
static void make_room_in_ring(ids_ring *ring, uint64_t bytes) {
    uint64_t to_end = ring->cap - ring->head % ring->cap;
    uint64_t need = bytes <= to_end ? bytes : bytes + to_end;
    assert(bytes % LEN_BYTES == 0 && bytes <= ring->cap / 4);
    while (ring->head + need - ring->tail > ring->cap)
        drop_oldest(ring);
    if (bytes <= to_end)
        return;
    set_len(ring, ring->head, WRAP_MARK);
    ring->head += to_end;
    if (ring->first > ring->last) /* empty: nothing needs the mark */
        ring->tail = ring->head;
}

static uint64_t *mark_of(ids_ring *ring, uint64_t number) {
    return &ring->marks[number / IDS_RING_MARK_EVERY % IDS_RING_MARKS];
}

/* The nearest known place at or before this number, which is in the ring. */
static ids_ring_at near(const ids_ring *ring, uint64_t number) {
    uint64_t marked = number - number % IDS_RING_MARK_EVERY;
    uint64_t span = (uint64_t)IDS_RING_MARK_EVERY * IDS_RING_MARKS;
    assert(number >= ring->first);
    if (number > ring->last)
        return (ids_ring_at){ring->last + 1, ring->head};
    if (marked < ring->first || ring->last - marked >= span)
        return (ids_ring_at){ring->first, ring->tail};
    return (ids_ring_at){
        marked, ring->marks[marked / IDS_RING_MARK_EVERY % IDS_RING_MARKS]};
}

void ids_ring_put(ids_ring *ring, uint64_t number, idp_slice change) {
    assert(ring->bytes != NULL);
    assert(number == ring->last + 1);
    if (whole_words(change.len) > ring->cap / 4) {
        ring->last++;
        let_go_of_all(ring);
        return;
    }
    make_room_in_ring(ring, whole_words(change.len));
    memcpy(ring->bytes + ring->head % ring->cap + LEN_BYTES, change.ptr,
           change.len);
    set_len(ring, ring->head, (uint32_t)change.len);
    if (number % IDS_RING_MARK_EVERY == 0)
        *mark_of(ring, number) = ring->head;
    ring->head += whole_words(change.len);
    ring->last++;
    check_ring(ring);
}

bool ids_ring_seek(const ids_ring *ring, uint64_t behind, ids_ring_at *at) {
    assert(ring->first <= ring->last + 1);
    if (behind + 1 < ring->first || behind > ring->last)
        return false;
    *at = near(ring, behind + 1);
    while (at->number <= behind) {
        at->offset = unwrapped(ring, at->offset);
        at->offset += whole_words(len_at(ring, at->offset));
        at->number++;
    }
    assert(at->number == behind + 1 && at->offset <= ring->head);
    return true;
}

bool ids_ring_next(const ids_ring *ring, ids_ring_at *at, idp_slice *bytes) {
    uint64_t offset;
    if (!ids_ring_has(ring, at) || at->number > ring->last)
        return false;
    offset = unwrapped(ring, at->offset);
    assert(offset >= ring->tail && offset < ring->head);
    *bytes = (idp_slice){ring->bytes + offset % ring->cap + LEN_BYTES,
                         len_at(ring, offset)};
    assert(bytes->len <= ring->cap / 4);
    at->offset = offset + whole_words(bytes->len);
    at->number++;
    return true;
}
