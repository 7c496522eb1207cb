/* SPDX-License-Identifier: Apache-2.0 */
/* alarms.h -- what has a time at which it is looked at again, the soonest
 * first: a heap of pointers. Pure; the entries are their owners' memory. */
#ifndef IDEM_ALARMS_H
#define IDEM_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct idem__alarm {
    uint64_t at_ms;
    uint32_t place; /* in the heap, from 1; 0: not set */
    uint32_t kind;  /* its owner's */
} idem__alarm;

typedef struct idem__alarms { /* zeroed is empty */
    idem__alarm **heap;
    uint32_t count;
    uint32_t cap;
} idem__alarms;

/* Room for so many that are set at a time; false when memory is refused. */
bool idem__alarms_reserve(idem__alarms *alarms, uint32_t count);
void idem__alarms_fini(idem__alarms *alarms);

/* Sets it, or moves it. There is room. */
void idem__alarms_set(idem__alarms *alarms, idem__alarm *alarm, uint64_t at_ms);
/* Also where it is not set. */
void idem__alarms_unset(idem__alarms *alarms, idem__alarm *alarm);
/* UINT64_MAX: none is set. */
uint64_t idem__alarms_next_ms(const idem__alarms *alarms);
/* Takes one that is due; NULL: none is. */
idem__alarm *idem__alarms_take_due(idem__alarms *alarms, uint64_t now_ms);

#endif
