/* SPDX-License-Identifier: Apache-2.0 */
/* search.h -- is there one order of a key's calls, each at some time between
 * its call and its answer, in which every answer is right?
 *
 * Wing and Gong's search with Lowe's memory of where it has been. An answer
 * that shows and changes nothing is placed as soon as it fits: that is never
 * wrong. What nobody heard of may have counted at any time since its call. */
#ifndef NEM_SEARCH_H
#define NEM_SEARCH_H

#include "bench/judge/key_model.h"

typedef enum nem_verdict {
    NEM_LEGAL,
    NEM_ILLEGAL,
    NEM_UNDECIDED /* more orders than the search may try */
} nem_verdict;

typedef struct nem_found {
    nem_verdict verdict;
    uint64_t steps;
    size_t placed;        /* the most answers that fit together */
    nem_record record;    /* what the record was then */
    const nem_op *in_way; /* an answer that did not fit there; NULL: none */
} nem_found;

/* ops: one key's, as nem_history_close leaves them. */
nem_found nem_search(const nem_op *ops, size_t count, uint64_t steps_max);

#endif
