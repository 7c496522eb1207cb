/* SPDX-License-Identifier: Apache-2.0 */
/* generator_test.c -- the judge, judged by many: histories that the model made
 * are legal, and each is illegal once something in it can't be.
 *
 *     nemesis_made [SEEDS [FIRST]] */
#include "bench/judge/judge.h"
#include "tests/nemesis/generator.h"

#include <inttypes.h>
#include <stdlib.h>

static bool is_legal(uint64_t seed, bool lossy, uint64_t *steps) {
    nem_history h;
    nem_history_init(&h);
    nem_make(&h, seed, lossy);
    nem_judgement j = nem_judge(&h, NULL);
    *steps += j.steps;
    bool good = j.broken == 0 && j.undecided == 0 && j.answered > 100;
    if (!good) {
        printf("seed %" PRIu64 ", %s: it is legal, and the judge says: %s "
               "(%zu answers)\n",
               seed, lossy ? "lossy" : "clean", j.first, j.answered);
        nem_judge(&h, stdout);
    }
    nem_history_fini(&h);
    return good;
}

/* 1: found, 0: not found, -1: there was no place for it. */
static int is_found(const nem_mutate *wrong, uint64_t seed, bool lossy) {
    nem_history h;
    idt_rng rng;
    int verdict = -1;
    nem_history_init(&h);
    idt_rng_seed(&rng, seed);
    nem_make(&h, seed, lossy);
    nem_history_close(&h);
    if (wrong->make(&h, &rng))
        verdict = nem_judge(&h, NULL).broken > 0;
    if (verdict == 0)
        printf("seed %" PRIu64 ", %s: \"%s\" is not found\n", seed,
               lossy ? "lossy" : "clean", wrong->name);
    nem_history_fini(&h);
    return verdict;
}

static unsigned try_wrong(const nem_mutate *wrong, uint64_t first,
                          uint64_t seeds) {
    unsigned found = 0, missed = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++)
        for (int lossy = 0; lossy < (wrong->when_lossy ? 2 : 1); lossy++) {
            int verdict = is_found(wrong, seed, lossy);
            found += verdict == 1;
            missed += verdict == 0;
        }
    printf("%-36s found %u times, missed %u\n", wrong->name, found, missed);
    return missed + (found < seeds / 4);
}

int main(int argc, char **argv) {
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t steps = 0;
    unsigned bad = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++)
        for (int lossy = 0; lossy < 2; lossy++)
            bad += is_legal(seed, lossy == 1, &steps) ? 0 : 1;
    printf("%" PRIu64 " legal histories, %u called illegal, %" PRIu64
           " steps\n",
           2 * seeds, bad, steps);
    for (const nem_mutate *w = nem_wrongs; w->name != NULL; w++)
        bad += try_wrong(w, first, seeds);
    return bad == 0 ? 0 : 1;
}
