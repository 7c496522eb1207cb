/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.h -- which records' retention ends when: a hierarchical wheel.
 *
 * Five levels of 64 slots, 128 ms at the finest, 4 years at the widest; a
 * slot is a list through the records themselves. A record whose end was put
 * off is left where it is and moves on when its old slot comes due. Work is
 * done one record a step, and may be left off after any of them. Pure. */
#ifndef IDS_WHEEL_H
#define IDS_WHEEL_H

#include "server/core/record.h"

#define IDS_WHEEL_LEVELS  5
#define IDS_WHEEL_SLOTS   64
#define IDS_WHEEL_TICK_MS 128

typedef struct ids_wheel {
    ids_slab *slab;
    uint64_t tick;                   /* the next one to be worked off */
    uint64_t used[IDS_WHEEL_LEVELS]; /* a bit per slot with records */
    ids_ref slots[IDS_WHEEL_LEVELS][IDS_WHEEL_SLOTS];
} ids_wheel;

void ids_wheel_init(ids_wheel *wheel, ids_slab *slab);

/* Hangs the record in, by the end of its retention. */
void ids_wheel_add(ids_wheel *wheel, ids_ref ref);
void ids_wheel_remove(ids_wheel *wheel, ids_ref ref);

/* The record lives at another ref now; its links were copied with it. */
void ids_wheel_moved(ids_wheel *wheel, ids_ref to);

/* The next record whose retention is over, taken off the wheel. 0: none is
 * due, or *steps ran out. Each record looked at takes a step. */
ids_ref ids_wheel_due(ids_wheel *wheel, uint64_t now_ms, uint32_t *steps);

/* When ids_wheel_due next has something to do; UINT64_MAX: never. */
uint64_t ids_wheel_next_ms(const ids_wheel *wheel);

#endif
