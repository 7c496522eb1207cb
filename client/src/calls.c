/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c -- a chained hash table over sequential msgids, threaded by a list
 * in the order of entering. */
#include "client/src/calls.h"

#include <assert.h>
#include <stddef.h>

#include "client/src/mem.h"

#define BUCKETS_MAX (1u << 20)

void idem__calls_init(idem__calls *calls) {
    *calls =
        (idem__calls){.mask = IDEM__BUCKETS_FIRST - 1, .next_ms = UINT64_MAX};
    calls->buckets = calls->first_buckets;
}

void idem__calls_fini(idem__calls *calls) {
    assert(calls->count == 0);
    if (calls->buckets != calls->first_buckets)
        idem__free(calls->buckets);
    calls->buckets = NULL;
}

uint32_t idem__calls_draw(idem__calls *calls) {
    do
        calls->last_msgid++;
    while (calls->last_msgid == 0 ||
           idem__calls_find(calls, calls->last_msgid) != NULL);
    return calls->last_msgid;
}

static void chain_in(idem__calls *calls, idem__op *op) {
    idem__op **bucket = &calls->buckets[op->msgid & calls->mask];
    op->chain = *bucket;
    *bucket = op;
}

/* Refused memory leaves the chains longer, nothing worse. */
static void widen_buckets(idem__calls *calls) {
    uint32_t buckets = (calls->mask + 1) * 4;
    if (buckets > BUCKETS_MAX)
        return;
    idem__op **wider = idem__calloc(buckets * sizeof *wider);
    if (wider == NULL)
        return;
    if (calls->buckets != calls->first_buckets)
        idem__free(calls->buckets);
    calls->buckets = wider;
    calls->mask = buckets - 1;
    for (idem__op *op = calls->first; op != NULL; op = op->next)
        chain_in(calls, op);
}

void idem__calls_enter(idem__calls *calls, idem__op *op) {
    assert(!op->pending);
    op->pending = true;
    op->prev = calls->last;
    op->next = NULL;
    if (calls->last != NULL)
        calls->last->next = op;
    else
        calls->first = op;
    calls->last = op;
    calls->count++;
    chain_in(calls, op);
    if (op->deadline_ms < calls->next_ms)
        calls->next_ms = op->deadline_ms;
    if (calls->count > 2 * (calls->mask + 1))
        widen_buckets(calls);
}

idem__op *idem__calls_find(const idem__calls *calls, uint32_t msgid) {
    idem__op *op = calls->buckets[msgid & calls->mask];
    while (op != NULL && op->msgid != msgid)
        op = op->chain;
    return op;
}

void idem__calls_remove(idem__calls *calls, idem__op *op) {
    assert(op->pending);
    idem__op **link = &calls->buckets[op->msgid & calls->mask];
    while (*link != op)
        link = &(*link)->chain;
    *link = op->chain;
    if (op->prev != NULL)
        op->prev->next = op->next;
    else
        calls->first = op->next;
    if (op->next != NULL)
        op->next->prev = op->prev;
    else
        calls->last = op->prev;
    op->pending = false;
    calls->count--;
    if (calls->count == 0)
        calls->next_ms = UINT64_MAX;
}

idem__op *idem__calls_take_due(idem__calls *calls, uint64_t now_ms) {
    if (now_ms < calls->next_ms)
        return NULL;
    uint64_t next_ms = UINT64_MAX;
    for (idem__op *op = calls->first; op != NULL; op = op->next) {
        if (op->deadline_ms <= now_ms) {
            idem__calls_remove(calls, op);
            return op;
        }
        if (op->deadline_ms < next_ms)
            next_ms = op->deadline_ms;
    }
    calls->next_ms = next_ms;
    return NULL;
}
