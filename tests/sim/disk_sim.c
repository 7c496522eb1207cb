/* SPDX-License-Identifier: Apache-2.0 */
/* disk_sim.c -- the journal on a hostile disk, seed after seed.
 *
 *     disk_sim [--seed N] [--seeds N] [--mutant NAME]
 *
 * With a mutant a rule is switched off, and it succeeds when that shows. A
 * seed that fails is run again and written down. */
#include "tests/sim/disk_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[IDS_MUTANT_COUNT] = {
#define X(name, text) [IDS_MUTANT_##name] = text,
    IDS_MUTANTS_LIST(X)
#undef X
};

typedef struct options {
    uint64_t seed, seeds;
} options;

static bool met(const char *what, uint64_t count) {
    printf("%s%s %llu", what[0] == 'l' ? "" : ", ", what,
           (unsigned long long)count);
    return count > 0;
}

/* Prints what was met; false: something never was. */
static bool print_tally(const disk_tally *t) {
    bool all = met("lives", t->lives);
    all = met("kills", t->kills) && all;
    all = met("power cuts", t->power_cuts) && all;
    all = met("clean stops", t->clean_stops) && all;
    all = met("changes", t->changes) && all;
    all = met("acknowledged", t->acked) && all;
    all = met("snapshots", t->snapshots) && all;
    all = met("tails cut", t->cut_tails) && all;
    all = met("bits flipped", t->flips) && all;
    all = met("noticed", t->flips_detected) && all;
    all = met("files lost", t->losses) && all;
    all = met("noticed", t->losses_detected) && all;
    all = met("writes astray", t->strays) && all;
    all = met("noticed", t->strays_detected) && all;
    all = met("starts interrupted", t->errors) && all;
    all = met("claims refused on a full disk", t->claims_refused) && all;
    all = met("starts on a full disk", t->starts_full) && all;
    all = met("refused there", t->refused_full) && all;
    all = met("times all records were replaced", t->replaced) && all;
    all = met("the old ones came back", t->gone_back) && all;
    all = met("most segments of a log", t->segments) && all;
    printf("\n");
    return all;
}

static int report(disk_world *w, const options *o, uint64_t seed) {
    disk_tally ignored = {0};
    uint64_t tried = seed - o->seed + 1;
    if (ids_mutant_now != IDS_MUTANT_NONE) {
        printf("mutant %s: caught at seed %llu, the %llu. tried: %s\n",
               names[ids_mutant_now], (unsigned long long)seed,
               (unsigned long long)tried, w->failure);
        return 0;
    }
    w->tracing = true;
    disk_world_run(w, seed, &ignored);
    printf("FAILED at seed %llu: %s\nagain: disk_sim --seed %llu --seeds 1\n",
           (unsigned long long)seed, w->failure, (unsigned long long)seed);
    return 1;
}

static int simulate(disk_world *w, const options *o) {
    disk_tally tally = {0};
    w->tracing = false;
    for (uint64_t i = 0; i < o->seeds; i++) {
        if (!disk_world_run(w, o->seed + i, &tally)) {
            return report(w, o, o->seed + i);
        }
    }
    if (ids_mutant_now != IDS_MUTANT_NONE) {
        printf("mutant %s was not caught in %llu seeds\n",
               names[ids_mutant_now], (unsigned long long)o->seeds);
        return 1;
    }
    printf("%llu seeds from %llu on: I4 I13 I14 hold after every recovery\n",
           (unsigned long long)o->seeds, (unsigned long long)o->seed);
    if (!print_tally(&tally) && o->seeds >= 1000) {
        printf("FAILED: something was never met\n");
        return 1;
    }
    return 0;
}

static bool read_mutant(const char *name) {
    for (int i = 0; i < IDS_MUTANT_COUNT; i++) {
        if (!strcmp(names[i], name)) {
            ids_mutant_now = (ids_mutant)i;
            return true;
        }
    }
    return false;
}

static bool read_option(const char *name, const char *value, options *o) {
    char *end = NULL;
    if (!strcmp(name, "--mutant")) {
        return read_mutant(value);
    }
    uint64_t number = strtoull(value, &end, 10);
    if (*value == 0 || *end != 0) {
        return false;
    }
    if (!strcmp(name, "--seed")) {
        o->seed = number;
    } else if (!strcmp(name, "--seeds")) {
        o->seeds = number;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    options o = {.seed = 1, .seeds = 200};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !read_option(argv[i], argv[i + 1], &o)) {
            fprintf(stderr, "disk_sim: %s makes no sense\n", argv[i]);
            return 64;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    disk_world *w = calloc(1, sizeof *w);
    int status = w ? simulate(w, &o) : 1;
    free(w);
    return status;
}
