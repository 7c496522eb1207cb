/* SPDX-License-Identifier: Apache-2.0 */
/* door_acts.h -- hostile acts at the daemon's doors: places, descriptors, its
 * log, its signals; beside those against the loops (flood.h). Each takes less
 * than DOOR_PLACES connections and a few seconds. */
#ifndef TEST_DOOR_ACTS_H
#define TEST_DOOR_ACTS_H

#include "tests/e2e/harness.h"
#include "tests/lib/rng.h"

#define DOOR_PLACES 200u

typedef struct door_act {
    const char *name;
    void (*perform)(const daemon_t *daemon, idt_rng *random);
} door_act;

extern const door_act door_acts[];
extern const unsigned door_acts_count;

#endif
