/* SPDX-License-Identifier: Apache-2.0 */
/* alarms.c -- see alarms.h. */
#include "client/src/alarms.h"

#include <assert.h>
#include <stddef.h>

#include "client/src/mem.h"

#define FIRST_CAP 64u

bool idem__alarms_reserve(idem__alarms *alarms, uint32_t count) {
    uint32_t cap = alarms->cap == 0 ? FIRST_CAP : alarms->cap;
    if (count <= alarms->cap)
        return true;
    while (cap < count)
        cap *= 2;
    idem__alarm **heap = idem__realloc(alarms->heap, cap * sizeof *heap);
    if (heap == NULL)
        return false;
    alarms->heap = heap;
    alarms->cap = cap;
    return true;
}

void idem__alarms_fini(idem__alarms *alarms) {
    idem__free(alarms->heap);
    *alarms = (idem__alarms){0};
}

static void put_alarm(idem__alarms *alarms, uint32_t at, idem__alarm *alarm) {
    alarms->heap[at] = alarm;
    alarm->place = at + 1;
}

static void rise(idem__alarms *alarms, uint32_t at, idem__alarm *alarm) {
    while (at > 0) {
        uint32_t above = (at - 1) / 2;
        if (alarms->heap[above]->at_ms <= alarm->at_ms)
            break;
        put_alarm(alarms, at, alarms->heap[above]);
        at = above;
    }
    put_alarm(alarms, at, alarm);
}

static void sink(idem__alarms *alarms, uint32_t at, idem__alarm *alarm) {
    for (;;) {
        uint32_t below = 2 * at + 1;
        if (below >= alarms->count)
            break;
        if (below + 1 < alarms->count &&
            alarms->heap[below + 1]->at_ms < alarms->heap[below]->at_ms)
            below++;
        if (alarms->heap[below]->at_ms >= alarm->at_ms)
            break;
        put_alarm(alarms, at, alarms->heap[below]);
        at = below;
    }
    put_alarm(alarms, at, alarm);
}

void idem__alarms_set(idem__alarms *alarms, idem__alarm *alarm,
                      uint64_t at_ms) {
    if (alarm->place == 0) {
        assert(alarms->count < alarms->cap);
        alarm->at_ms = at_ms;
        rise(alarms, alarms->count++, alarm);
        return;
    }
    bool sooner = at_ms < alarm->at_ms;
    alarm->at_ms = at_ms;
    if (sooner)
        rise(alarms, alarm->place - 1, alarm);
    else
        sink(alarms, alarm->place - 1, alarm);
}

void idem__alarms_unset(idem__alarms *alarms, idem__alarm *alarm) {
    if (alarm->place == 0)
        return;
    uint32_t at = alarm->place - 1;
    assert(alarms->heap[at] == alarm);
    idem__alarm *last = alarms->heap[--alarms->count];
    alarm->place = 0;
    if (last == alarm)
        return;
    if (last->at_ms < alarm->at_ms)
        rise(alarms, at, last);
    else
        sink(alarms, at, last);
}

uint64_t idem__alarms_next_ms(const idem__alarms *alarms) {
    return alarms->count > 0 ? alarms->heap[0]->at_ms : UINT64_MAX;
}

idem__alarm *idem__alarms_take_due(idem__alarms *alarms, uint64_t now_ms) {
    if (idem__alarms_next_ms(alarms) > now_ms || alarms->count == 0)
        return NULL;
    idem__alarm *alarm = alarms->heap[0];
    idem__alarms_unset(alarms, alarm);
    return alarm;
}
