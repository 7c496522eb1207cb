/* SPDX-License-Identifier: Apache-2.0 */
/* epoch.c -- see epoch.h. Pure. */
#include "server/peer/epoch.h"

#include "server/peer/mutant.h"

#include <assert.h>

#define LOW_BITS ((1ull << IDS_EPOCH_BITS) - 1)

uint64_t ids_epoch_of(uint64_t unix_ms) {
    return unix_ms > IDS_EPOCH_MAX >> IDS_EPOCH_BITS
               ? 0
               : unix_ms << IDS_EPOCH_BITS;
}

uint64_t ids_epoch_draw(uint64_t above, uint64_t at_least, uint64_t node) {
    uint64_t low = above >= at_least ? above + 1 : at_least;
    uint64_t epoch = (low & ~LOW_BITS) | (node & LOW_BITS);
    if (above > IDS_EPOCH_MAX || at_least > IDS_EPOCH_MAX)
        return IDS_EPOCH_MAX + 1;
    assert(((epoch ^ node) & LOW_BITS) == 0);
    assert(epoch + LOW_BITS + 1 > low);
    return epoch < low ? epoch + LOW_BITS + 1 : epoch;
}

bool ids_epoch_is_sound(uint64_t epoch, uint64_t recorded, uint64_t clock) {
    uint64_t from = clock > recorded ? clock : recorded;
    if (IDS_RULE_OFF(EPOCH_BOUND))
        return true;
    return epoch <= IDS_EPOCH_MAX &&
           (epoch <= from || epoch - from <= IDS_EPOCH_AHEAD_MAX);
}
