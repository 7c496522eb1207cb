/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h -- a whole history: every key by its promises and by the search. */
#ifndef NEM_JUDGE_H
#define NEM_JUDGE_H

#include "bench/judge/promises.h"
#include "bench/judge/search.h"

typedef struct nem_judgement {
    size_t keys;
    size_t answered;
    size_t unknown;
    size_t broken; /* keys that break a promise, or fit no order */
    size_t undecided;
    uint64_t steps;
    char first[200]; /* of the first broken key: what it is */
} nem_judgement;

/* Settles the history. Says what is wrong to tell (NULL: nobody), key by
 * key, with the whole history of the first few. */
nem_judgement nem_judge(nem_history *h, FILE *tell);

#endif
