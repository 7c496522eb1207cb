/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c -- deadlines in order. See heap.h. Pure. */
#include "server/core/heap.h"

#include <assert.h>
#include <string.h>

#define CAPACITY_MIN 64u
/* At the same instant waits come behind leases. */
#define KIND_BIT     (1ull << 63)

void ids_heap_init(ids_heap *heap, ids_budget *budget) {
    memset(heap, 0, sizeof *heap);
    heap->budget = budget;
}

void ids_heap_fini(ids_heap *heap) {
    ids_budget_free(heap->budget, heap->places,
                    heap->capacity * sizeof *heap->places);
    heap->places = NULL;
}

bool ids_heap_reserve(ids_heap *heap, uint32_t count) {
    uint32_t capacity = heap->capacity;
    ids_heap_place *places;
    if (heap->count + count <= capacity)
        return true;
    capacity = capacity == 0 ? CAPACITY_MIN : capacity * 2;
    assert(heap->count + count <= capacity);
    places = ids_budget_alloc(heap->budget, capacity * sizeof *places);
    if (places == NULL)
        return false;
    if (heap->count > 0)
        memcpy(places, heap->places, heap->count * sizeof *places);
    ids_heap_fini(heap);
    heap->places = places;
    heap->capacity = capacity;
    return true;
}

static ids_heap_place heap_place_of(ids_timer *timer) {
    assert(timer->number < KIND_BIT);
    return (ids_heap_place){
        .due_ms = timer->due_ms,
        .order = timer->number | (timer->kind == IDS_TIMER_WAIT ? KIND_BIT : 0),
        .timer = timer};
}

static bool before(const ids_heap_place *a, const ids_heap_place *b) {
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void put_in_heap(ids_heap *heap, uint32_t at, ids_heap_place place) {
    assert(at < heap->count);
    heap->places[at] = place;
    place.timer->at = at;
}

static void sift_up(ids_heap *heap, ids_heap_place place) {
    uint32_t at = place.timer->at;
    assert(at < heap->count);
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!before(&place, &heap->places[parent]))
            break;
        put_in_heap(heap, at, heap->places[parent]);
        at = parent;
    }
    assert(at == 0 || before(&heap->places[(at - 1) / 2], &place));
    put_in_heap(heap, at, place);
}

static void sift_down(ids_heap *heap, ids_heap_place place) {
    uint32_t at = place.timer->at;
    assert(at < heap->count);
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            before(&heap->places[child + 1], &heap->places[child]))
            child++;
        if (!before(&heap->places[child], &place))
            break;
        put_in_heap(heap, at, heap->places[child]);
        at = child;
    }
    assert(2 * at + 1 >= heap->count ||
           before(&place, &heap->places[2 * at + 1]));
    put_in_heap(heap, at, place);
}

static void find_place(ids_heap *heap, ids_heap_place place) {
    sift_up(heap, place);
    sift_down(heap, place);
}

void ids_heap_moved(ids_heap *heap, ids_timer *timer) {
    assert(heap->places[timer->at].timer == timer);
    find_place(heap, heap_place_of(timer));
}

void ids_heap_add(ids_heap *heap, ids_timer *timer) {
    assert(heap->count < heap->capacity); /* ids_heap_reserve saw to that */
    timer->at = heap->count++;
    sift_up(heap, heap_place_of(timer));
}

void ids_heap_remove(ids_heap *heap, ids_timer *timer) {
    assert(heap->count > 0);
    assert(heap->places[timer->at].timer == timer);
    ids_heap_place last = heap->places[--heap->count];
    if (last.timer == timer)
        return;
    put_in_heap(heap, timer->at, last);
    find_place(heap, last);
}

ids_timer *ids_heap_first(const ids_heap *heap) {
    assert(heap->count == 0 || heap->places[0].timer->at == 0);
    return heap->count == 0 ? NULL : heap->places[0].timer;
}
