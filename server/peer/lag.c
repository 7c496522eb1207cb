/* SPDX-License-Identifier: Apache-2.0 */
/* lag.c -- see lag.h. Pure. */
#include "server/peer/lag.h"

#include <string.h>

/* Every second mark is let go: what it covered, the one before covers. */
static void thin_out(ids_lag *lag) {
    for (uint32_t i = 1; i < IDS_LAG_MARKS / 2; i++)
        lag->mark[i] = lag->mark[2 * i];
    lag->count = IDS_LAG_MARKS / 2;
}

void ids_lag_took(ids_lag *lag, uint64_t number, uint64_t now_ms) {
    lag->last = number;
    if (lag->count > 0 && lag->mark[lag->count - 1].ms == now_ms)
        return;
    if (lag->count == IDS_LAG_MARKS)
        thin_out(lag);
    lag->mark[lag->count++] = (ids_lag_mark){number, now_ms};
}

void ids_lag_reached(ids_lag *lag, uint64_t number) {
    uint32_t over = 0;
    if (number >= lag->last) {
        lag->count = 0;
        return;
    }
    while (over + 1 < lag->count && lag->mark[over + 1].number <= number + 1)
        over++;
    lag->count -= over;
    memmove(lag->mark, lag->mark + over, lag->count * sizeof *lag->mark);
}

uint64_t ids_lag_ms(const ids_lag *lag, uint64_t now_ms) {
    return lag->count == 0 || now_ms < lag->mark[0].ms
               ? 0
               : now_ms - lag->mark[0].ms;
}
