/* SPDX-License-Identifier: Apache-2.0 */
/* waiters.c -- the books of parked acquires. See waiters.h. Pure. */
#include "server/core/waiters.h"

#include "server/core/record.h"

#include <assert.h>

#define SLOTS_MIN       16u
#define SLOTS_MAX       16384u
/* Each that parks makes more room than it takes. */
#define REAPED_PER_PARK 2

bool ids_waiters_init(ids_waiters *waiters, ids_budget *budget,
                      uint32_t count_max, uint32_t per_key_max,
                      const ids_mix_key *key) {
    size_t bytes;
    memset(waiters, 0, sizeof *waiters);
    waiters->key = *key;
    waiters->budget = budget;
    waiters->count_max = count_max;
    waiters->per_key_max = per_key_max;
    waiters->slots = SLOTS_MIN;
    while (waiters->slots < SLOTS_MAX && waiters->slots < count_max / 4)
        waiters->slots *= 2;
    assert((waiters->slots & (waiters->slots - 1)) == 0);
    ids_heap_init(&waiters->heap, budget);
    bytes = waiters->slots * sizeof(void *);
    waiters->queues = ids_budget_alloc(budget, bytes);
    waiters->askers = ids_budget_alloc(budget, bytes);
    if (waiters->queues == NULL || waiters->askers == NULL) {
        ids_waiters_fini(waiters);
        return false;
    }
    memset(waiters->queues, 0, bytes);
    memset(waiters->askers, 0, bytes);
    return true;
}

void ids_waiters_fini(ids_waiters *waiters) {
    ids_waiter *waiter;
    bool gone;
    while ((waiter = ids_waiters_any(waiters)) != NULL)
        ids_waiters_remove(waiters, waiter, &gone);
    assert(waiters->count == 0 && waiters->heap.count == 0);
    assert(waiters->gone == NULL);
    ids_heap_fini(&waiters->heap);
    ids_budget_free(waiters->budget, waiters->queues,
                    waiters->slots * sizeof(void *));
    ids_budget_free(waiters->budget, waiters->askers,
                    waiters->slots * sizeof(void *));
}

static ids_queue **queue_slot(const ids_waiters *waiters, uint64_t hash) {
    return &waiters
                ->queues[ids_mix(&waiters->key, hash) & (waiters->slots - 1)];
}

static ids_asking **asker_slot(const ids_waiters *waiters, ids_asker asker) {
    return &waiters
                ->askers[ids_mix(&waiters->key, asker) & (waiters->slots - 1)];
}

ids_queue *ids_waiters_queue(const ids_waiters *waiters, uint64_t hash,
                             idp_slice ns, idp_slice key) {
    ids_queue *queue = *queue_slot(waiters, hash);
    while (queue != NULL &&
           !(queue->hash == hash && ids_slice_equal(queue->ns, ns) &&
             ids_slice_equal(queue->key, key)))
        queue = queue->hash_next;
    return queue;
}

static idp_slice copy_in(uint8_t **at, idp_slice from) {
    idp_slice copy = {*at, from.len};
    *at = ids_append(*at, from);
    return copy;
}

static ids_queue *queue_new(ids_waiters *waiters, const ids_call *call,
                            uint64_t lease_end_ms) {
    const idp_request *request = call->request;
    size_t bytes = sizeof(ids_queue) + request->ns.len + request->key.len;
    ids_queue *queue = ids_budget_alloc(waiters->budget, bytes);
    ids_queue **slot = queue_slot(waiters, call->hash);
    uint8_t *at;
    if (queue == NULL)
        return NULL;
    memset(queue, 0, sizeof *queue);
    at = queue->bytes;
    queue->ns = copy_in(&at, request->ns);
    queue->key = copy_in(&at, request->key);
    assert(at <= (uint8_t *)queue + bytes);
    queue->hash = call->hash;
    queue->bytes_held = bytes;
    queue->timer.kind = IDS_TIMER_LEASE;
    queue->timer.due_ms = lease_end_ms;
    queue->timer.number = waiters->parked;
    queue->hash_next = *slot;
    *slot = queue;
    ids_heap_add(&waiters->heap, &queue->timer);
    return queue;
}

static void queue_free(ids_waiters *waiters, ids_queue *queue) {
    ids_queue **link = queue_slot(waiters, queue->hash);
    assert(queue->count == 0);
    assert(queue->first == NULL && queue->last == NULL);
    while (*link != queue)
        link = &(*link)->hash_next;
    *link = queue->hash_next;
    ids_heap_remove(&waiters->heap, &queue->timer);
    ids_budget_free(waiters->budget, queue, queue->bytes_held);
}

static void list_push(ids_asking **head, ids_asking *asking) {
    assert(*head == NULL || (*head)->prev == NULL);
    asking->prev = NULL;
    asking->next = *head;
    if (*head != NULL)
        (*head)->prev = asking;
    *head = asking;
}

static void list_take(ids_asking **head, ids_asking *asking) {
    assert(asking->prev != NULL || *head == asking);
    assert(asking->next == NULL || asking->next->prev == asking);
    if (asking->prev != NULL)
        asking->prev->next = asking->next;
    else
        *head = asking->next;
    if (asking->next != NULL)
        asking->next->prev = asking->prev;
}

static ids_asking *asking_of(const ids_waiters *waiters, ids_asker asker) {
    ids_asking *asking = *asker_slot(waiters, asker);
    while (asking != NULL && asking->asker != asker)
        asking = asking->next;
    return asking;
}

static ids_asking *asking_new(ids_waiters *waiters, ids_asker asker) {
    ids_asking *asking = ids_budget_alloc(waiters->budget, sizeof *asking);
    if (asking == NULL)
        return NULL;
    memset(asking, 0, sizeof *asking);
    asking->asker = asker;
    list_push(asker_slot(waiters, asker), asking);
    return asking;
}

static void asking_free(ids_waiters *waiters, ids_asking *asking) {
    assert(asking->first == NULL);
    list_take(asking->gone ? &waiters->gone
                           : asker_slot(waiters, asking->asker),
              asking);
    ids_budget_free(waiters->budget, asking, sizeof *asking);
}

static ids_waiter *waiter_new(ids_waiters *waiters, const ids_call *call) {
    const idp_request *request = call->request;
    size_t bytes =
        sizeof(ids_waiter) + request->fingerprint.len + request->nonce.len;
    ids_waiter *waiter = ids_budget_alloc(waiters->budget, bytes);
    uint8_t *at;
    if (waiter == NULL)
        return NULL;
    memset(waiter, 0, sizeof *waiter);
    at = waiter->bytes;
    waiter->bytes_held = bytes;
    waiter->request = *request;
    waiter->by = call->by;
    waiter->request.fingerprint = copy_in(&at, request->fingerprint);
    waiter->request.nonce = copy_in(&at, request->nonce);
    assert(at <= (uint8_t *)waiter + bytes);
    waiter->timer.kind = IDS_TIMER_WAIT;
    waiter->timer.number = waiters->parked;
    return waiter;
}

static void hang_in(ids_waiters *waiters, ids_waiter *waiter, ids_queue *queue,
                    ids_asking *asking) {
    assert(waiters->count < waiters->count_max);
    assert(queue->count < waiters->per_key_max);
    assert(!asking->gone);
    waiter->queue = queue;
    waiter->request.ns = queue->ns;
    waiter->request.key = queue->key;
    waiter->prev = queue->last;
    if (queue->last != NULL)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
    queue->count++;
    waiter->asking = asking;
    waiter->asker_next = asking->first;
    if (asking->first != NULL)
        asking->first->asker_prev = waiter;
    asking->first = waiter;
    ids_heap_add(&waiters->heap, &waiter->timer);
    waiters->count++;
    waiters->parked++;
    assert(waiters->heap.count > waiters->count);
}

static bool queue_is_full(const ids_waiters *waiters, const ids_queue *queue) {
    return waiters->count >= waiters->count_max || waiters->per_key_max == 0 ||
           (queue != NULL && queue->count >= waiters->per_key_max);
}

/* All that is to be had from memory, or nothing of it. */
static bool allocate_waiter(ids_waiters *waiters, const ids_call *call,
                            uint64_t lease_end_ms, ids_waiter **waiter,
                            ids_queue **queue, ids_asking **asking) {
    assert(waiters->heap.count + 2 <= waiters->heap.capacity);
    *asking = asking_of(waiters, call->asker);
    *waiter = waiter_new(waiters, call);
    if (*waiter == NULL)
        return false;
    if (*asking == NULL)
        *asking = asking_new(waiters, call->asker);
    if (*asking != NULL && *queue == NULL)
        *queue = queue_new(waiters, call, lease_end_ms);
    if (*asking != NULL && *queue != NULL)
        return true;
    if (*asking != NULL && (*asking)->first == NULL)
        asking_free(waiters, *asking);
    ids_budget_free(waiters->budget, *waiter, (*waiter)->bytes_held);
    return false;
}

idp_error ids_waiters_park(ids_waiters *waiters, const ids_call *call,
                           uint64_t due_ms, uint64_t lease_end_ms) {
    const idp_request *request = call->request;
    ids_queue *queue;
    ids_waiter *waiter;
    ids_asking *asking;
    assert(request->wait_ms > 0);
    if (waiters->gone != NULL)
        ids_waiters_reap(waiters, REAPED_PER_PARK);
    queue = ids_waiters_queue(waiters, call->hash, request->ns, request->key);
    if (queue_is_full(waiters, queue))
        return IDP_E_LIMIT;
    if (!ids_heap_reserve(&waiters->heap, 2) ||
        !allocate_waiter(waiters, call, lease_end_ms, &waiter, &queue, &asking))
        return IDP_E_NO_MEMORY;
    waiter->timer.due_ms = due_ms;
    hang_in(waiters, waiter, queue, asking);
    return IDP_OK;
}

void ids_waiters_lease(ids_waiters *waiters, ids_queue *queue,
                       uint64_t lease_end_ms) {
    assert(queue->timer.kind == IDS_TIMER_LEASE);
    assert(queue->count > 0);
    queue->timer.due_ms = lease_end_ms;
    ids_heap_moved(&waiters->heap, &queue->timer);
}

static void take_from_asker(ids_waiters *waiters, ids_waiter *waiter) {
    assert(waiter->asker_prev != NULL || waiter->asking->first == waiter);
    if (waiter->asker_prev != NULL)
        waiter->asker_prev->asker_next = waiter->asker_next;
    else
        waiter->asking->first = waiter->asker_next;
    if (waiter->asker_next != NULL)
        waiter->asker_next->asker_prev = waiter->asker_prev;
    if (waiter->asking->first == NULL)
        asking_free(waiters, waiter->asking);
}

static void take_from_queue(ids_queue *queue, ids_waiter *waiter) {
    assert(waiter->prev != NULL || queue->first == waiter);
    assert(waiter->next != NULL || queue->last == waiter);
    if (waiter->prev != NULL)
        waiter->prev->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->prev = waiter->prev;
    else
        queue->last = waiter->prev;
    queue->count--;
    assert((queue->count == 0) == (queue->first == NULL));
}

void ids_waiters_remove(ids_waiters *waiters, ids_waiter *waiter,
                        bool *queue_gone) {
    ids_queue *queue = waiter->queue;
    assert(waiter->timer.kind == IDS_TIMER_WAIT);
    assert(waiters->count > 0 && queue->count > 0);
    take_from_asker(waiters, waiter);
    take_from_queue(queue, waiter);
    ids_heap_remove(&waiters->heap, &waiter->timer);
    waiters->count--;
    *queue_gone = queue->count == 0;
    if (*queue_gone)
        queue_free(waiters, queue);
    ids_budget_free(waiters->budget, waiter, waiter->bytes_held);
}

void ids_waiters_forget(ids_waiters *waiters, ids_asker asker) {
    ids_asking *asking = asking_of(waiters, asker);
    if (asking == NULL)
        return;
    assert(asking->first != NULL && !asking->gone);
    list_take(asker_slot(waiters, asker), asking);
    asking->gone = true;
    list_push(&waiters->gone, asking);
}

void ids_waiters_reap(ids_waiters *waiters, uint32_t max) {
    bool queue_gone;
    while (max-- > 0 && waiters->gone != NULL) {
        assert(waiters->gone->gone && waiters->gone->first != NULL);
        ids_waiters_remove(waiters, waiters->gone->first, &queue_gone);
    }
}
