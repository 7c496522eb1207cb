/* SPDX-License-Identifier: Apache-2.0 */
/* generate.h -- random operations, made to meet: few keys, tiny leases,
 * clashing fingerprints, nonces that come again, tokens new, old and
 * foreign. The same seed makes the same world and the same operations. */
#ifndef IDT_GENERATE_H
#define IDT_GENERATE_H

#include "tests/lib/rng.h"
#include "tests/sim/world.h"

typedef struct generator {
    idt_rng rng;
    world_config config;
    world_key keys[WORLD_KEYS_MAX];
    uint32_t key_count;
    uint32_t asker_count;
    uint32_t long_percent; /* how often times are long */
    bool sleepy;           /* turns may come late */
    bool reloads;          /* namespaces' limits change */
} generator;

/* Chooses the kind of world. */
void generator_init(generator *g, uint64_t seed, mutant m);

/* One operation; false when it showed a difference. */
bool generator_step(generator *g, world *w);

#endif
