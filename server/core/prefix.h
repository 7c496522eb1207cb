/* SPDX-License-Identifier: Apache-2.0 */
/* prefix.h -- what the tokens of many records have in common, kept once.
 *
 * A token is an epoch and a sequence, 16 bytes. Those that one epoch grants
 * one behind the other share all but the lowest 28 bits: a prefix, which has
 * a number of 8 bits as long as any record's token begins with it. Where
 * there are more prefixes than numbers a record spells its token. Pure. */
#ifndef IDS_PREFIX_H
#define IDS_PREFIX_H

#include "proto/terms.h"

#include <assert.h>

#define IDS_PREFIX_SEQUENCE_BITS 28
#define IDS_PREFIXES             256
#define IDS_PREFIX_NONE          IDS_PREFIXES

typedef struct ids_prefix {
    uint64_t epoch;
    uint64_t sequence_high; /* its upper 36 bits */
    uint64_t records;       /* with such a token; 0: the number is free */
} ids_prefix;

typedef struct ids_prefixes {
    ids_prefix all[IDS_PREFIXES];
    uint32_t last; /* where the last one was found */
} ids_prefixes;

static inline bool ids_prefix_is(const ids_prefix *p, const idp_token *token) {
    return p->epoch == token->epoch &&
           p->sequence_high == token->sequence >> IDS_PREFIX_SEQUENCE_BITS;
}

/* The number of this token's prefix, which it is given if it has none;
 * IDS_PREFIX_NONE: all are taken. It counts nobody. */
static inline uint32_t ids_prefix_find(ids_prefixes *prefixes,
                                       const idp_token *token) {
    uint32_t i, free_one = IDS_PREFIX_NONE;
    ids_prefix *p = &prefixes->all[prefixes->last];
    if (p->records > 0 && ids_prefix_is(p, token))
        return prefixes->last;
    for (i = 0; i < IDS_PREFIXES; i++) {
        p = &prefixes->all[i];
        if (p->records == 0) {
            if (free_one == IDS_PREFIX_NONE)
                free_one = i;
        } else if (ids_prefix_is(p, token)) {
            prefixes->last = i;
            return i;
        }
    }
    if (free_one != IDS_PREFIX_NONE) {
        assert(prefixes->all[free_one].records == 0);
        prefixes->last = free_one;
        prefixes->all[free_one] = (ids_prefix){
            .epoch = token->epoch,
            .sequence_high = token->sequence >> IDS_PREFIX_SEQUENCE_BITS};
    }
    return free_one;
}

static inline idp_token ids_prefix_token(const ids_prefixes *prefixes,
                                         uint32_t number, uint32_t low) {
    const ids_prefix *p = &prefixes->all[number];
    assert(p->records > 0);
    return (idp_token){p->epoch,
                       p->sequence_high << IDS_PREFIX_SEQUENCE_BITS | low};
}

#endif
