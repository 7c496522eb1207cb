/* SPDX-License-Identifier: Apache-2.0 */
/* lag.c -- see lag.h. Pure. */
#include "server/peer/lag.h"

#include <assert.h>
#include <string.h>

/* Every second mark is let go: what it covered, the one before covers. */
static void thin_out(ids_lag *lag) {
    assert(lag->count == IDS_LAG_MARKS);
    for (uint32_t i = 1; i < IDS_LAG_MARKS / 2; i++)
        lag->mark[i] = lag->mark[2 * i];
    lag->count = IDS_LAG_MARKS / 2;
}

void ids_lag_took(ids_lag *lag, ids_lag_mark first, uint64_t last) {
    assert(first.number <= last);
    assert(last >= lag->last);
    assert(lag->count <= IDS_LAG_MARKS);
    lag->last = last;
    if (lag->count > 0 && lag->mark[lag->count - 1].ms == first.ms)
        return;
    if (lag->count == IDS_LAG_MARKS)
        thin_out(lag);
    assert(lag->count == 0 || lag->mark[lag->count - 1].ms < first.ms);
    lag->mark[lag->count++] = first;
}

void ids_lag_again(ids_lag *lag, ids_lag_mark from) {
    if (lag->count > 0 && lag->mark[0].number <= from.number)
        return;
    if (lag->count > 0)
        from.ms = lag->mark[0].ms;
    if (lag->count == IDS_LAG_MARKS)
        thin_out(lag);
    memmove(lag->mark + 1, lag->mark, lag->count * sizeof *lag->mark);
    lag->mark[0] = from;
    lag->count++;
    assert(lag->count <= IDS_LAG_MARKS);
    assert(lag->count < 2 || lag->mark[0].number < lag->mark[1].number);
}

void ids_lag_reached(ids_lag *lag, uint64_t number) {
    uint32_t over = 0;
    if (number >= lag->last) {
        lag->count = 0;
        return;
    }
    while (over + 1 < lag->count && lag->mark[over + 1].number <= number + 1)
        over++;
    assert(over == 0 || over < lag->count);
    lag->count -= over;
    memmove(lag->mark, lag->mark + over, lag->count * sizeof *lag->mark);
}

uint64_t ids_lag_ms(const ids_lag *lag, uint64_t now_ms) {
    return lag->count == 0 || now_ms < lag->mark[0].ms
               ? 0
               : now_ms - lag->mark[0].ms;
}

uint64_t ids_lag_offset(const ids_lag *lag, uint64_t head) {
    assert(lag->count == 0 || lag->mark[0].offset <= head);
    return lag->count == 0 ? head : lag->mark[0].offset;
}
