/* SPDX-License-Identifier: Apache-2.0 */
/* oom_test.c -- each allocation of many short lives of a shard, failed in
 * turn: that one alone, then that one and all that follow.
 *
 * Whatever fails, the shard and the model must go on saying the same: a claim
 * or a wait that would need memory is refused with NO_MEMORY and nothing has
 * changed, a complete completes, and in the end everything is given back. */
#include "tests/sim/generate.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIVES = 60, STEPS = 250 };

typedef struct life {
    uint64_t seed;
    uint64_t fail_nth; /* 0: none */
    bool fail_on;
} life;

/* asked: how many allocations it took. False: w says what is wrong. */
static bool live(world *w, const life *l, uint64_t *asked) {
    generator g;
    generator_init(&g, l->seed, MUTANT_NONE);
    g.config.memory_bytes_max = 4u << 20;
    g.config.memory_short = l->fail_nth > 0;
    g.config.fail_nth = l->fail_nth;
    g.config.fail_on = l->fail_on;
    if (!world_open(w, &g.config, g.keys)) {
        return l->fail_nth > 0 && world_mem(w)->bytes == 0 &&
               world_mem(w)->wrong == 0;
    }
    bool good = true;
    for (int i = 0; good && i < STEPS; i++) {
        good = generator_step(&g, w);
    }
    good = good && world_run_out(w);
    *asked = w->mems[0].asked;
    return world_close(w) && good;
}

static bool live_or_tell(world *w, const life *l, uint64_t *asked) {
    if (live(w, l, asked)) {
        return true;
    }
    printf("FAILED in life %llu, allocation %llu fails%s\n  %s\n",
           (unsigned long long)l->seed, (unsigned long long)l->fail_nth,
           l->fail_on ? " and all that follow" : "", w->failure);
    return false;
}

int main(void) {
    world *w = malloc(sizeof *w);
    uint64_t failed = 0, ignored;
    for (uint64_t seed = 1; w && seed <= LIVES; seed++) {
        life l = {.seed = seed};
        uint64_t asked = 0;
        if (!live_or_tell(w, &l, &asked)) {
            return 1;
        }
        for (l.fail_nth = 1; l.fail_nth <= asked; l.fail_nth++) {
            l.fail_on = false;
            bool good = live_or_tell(w, &l, &ignored);
            l.fail_on = true;
            if (!good || !live_or_tell(w, &l, &ignored)) {
                return 1;
            }
            failed += 2;
        }
    }
    free(w);
    printf("%d lives, %llu failures put in: the shard and the model agree\n",
           LIVES, (unsigned long long)failed);
    return failed > LIVES ? 0 : 1;
}
