/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c -- deadlines in order. See heap.h. Pure. */
#include "server/core/heap.h"

#include <assert.h>
#include <string.h>

#define CAPACITY_MIN 64u

void ids_heap_init(ids_heap *heap, ids_budget *budget) {
    memset(heap, 0, sizeof *heap);
    heap->budget = budget;
}

void ids_heap_fini(ids_heap *heap) {
    ids_budget_free(heap->budget, heap->timers,
                    heap->capacity * sizeof *heap->timers);
    heap->timers = NULL;
}

bool ids_heap_reserve(ids_heap *heap, uint32_t count) {
    uint32_t capacity = heap->capacity;
    ids_timer **timers;
    if (heap->count + count <= capacity)
        return true;
    capacity = capacity == 0 ? CAPACITY_MIN : capacity * 2;
    assert(heap->count + count <= capacity);
    timers = ids_budget_alloc(heap->budget, capacity * sizeof *timers);
    if (timers == NULL)
        return false;
    if (heap->count > 0)
        memcpy(timers, heap->timers, heap->count * sizeof *timers);
    ids_heap_fini(heap);
    heap->timers = timers;
    heap->capacity = capacity;
    return true;
}

static bool before(const ids_timer *a, const ids_timer *b) {
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return a->number < b->number;
}

static void put_in_heap(ids_heap *heap, uint32_t at, ids_timer *timer) {
    assert(at < heap->count);
    heap->timers[at] = timer;
    timer->at = at;
}

static void sift_up(ids_heap *heap, ids_timer *timer) {
    uint32_t at = timer->at;
    assert(timer->at < heap->count);
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!before(timer, heap->timers[parent]))
            break;
        put_in_heap(heap, at, heap->timers[parent]);
        at = parent;
    }
    assert(at == 0 || before(heap->timers[(at - 1) / 2], timer));
    put_in_heap(heap, at, timer);
}

static void sift_down(ids_heap *heap, ids_timer *timer) {
    uint32_t at = timer->at;
    assert(timer->at < heap->count);
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            before(heap->timers[child + 1], heap->timers[child]))
            child++;
        if (!before(heap->timers[child], timer))
            break;
        put_in_heap(heap, at, heap->timers[child]);
        at = child;
    }
    assert(2 * at + 1 >= heap->count ||
           before(timer, heap->timers[2 * at + 1]));
    put_in_heap(heap, at, timer);
}

void ids_heap_moved(ids_heap *heap, ids_timer *timer) {
    assert(heap->timers[timer->at] == timer);
    sift_up(heap, timer);
    sift_down(heap, timer);
}

void ids_heap_add(ids_heap *heap, ids_timer *timer) {
    assert(heap->count < heap->capacity); /* ids_heap_reserve saw to that */
    heap->count++;
    put_in_heap(heap, heap->count - 1, timer);
    sift_up(heap, timer);
}

void ids_heap_remove(ids_heap *heap, ids_timer *timer) {
    assert(heap->count > 0);
    assert(heap->timers[timer->at] == timer);
    ids_timer *last = heap->timers[--heap->count];
    if (last == timer)
        return;
    put_in_heap(heap, timer->at, last);
    ids_heap_moved(heap, last);
}

ids_timer *ids_heap_first(const ids_heap *heap) {
    assert(heap->count == 0 || heap->timers[0]->at == 0);
    return heap->count == 0 ? NULL : heap->timers[0];
}
