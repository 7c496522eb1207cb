/* SPDX-License-Identifier: Apache-2.0 */
/* generator.h -- histories that are legal because the model made them, and what
 * makes them illegal for sure. */
#ifndef NEM_GENERATOR_H
#define NEM_GENERATOR_H

#include "bench/judge/history.h"
#include "tests/lib/rng.h"

/* Five clients ask the model for some seconds, on a virtual clock; calls
 * travel, answers are late. lossy: answers are lost too, calls are repeated
 * by the library or come long after their end. */
void nem_make(nem_history *h, uint64_t seed, bool lossy);

typedef struct nem_mutate {
    const char *name;
    bool when_lossy; /* also where answers were lost */
    /* Changes a settled history, somewhere; false: there is no place. */
    bool (*make)(nem_history *h, idt_rng *rng);
} nem_mutate;

extern const nem_mutate nem_wrongs[]; /* ends with no name */

#endif
