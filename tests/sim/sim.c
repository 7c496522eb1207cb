/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c -- random operations into many shards and the naive model.
 *
 *   sim [--seed S] [--ops N] [--world-ops N] [--mutant NAME]
 *
 * World S, then S + 1, S + 2 ... until N operations are done; each is a shard
 * of its own kind with a clock of its own. A world that shows a difference
 * prints its seed, what differs and the last steps as a story; run again
 * with that seed it is the first world, and the same one.
 *
 * With --mutant the shard has a fault, and finding it is the success. */
#include "tests/sim/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    uint64_t seed;
    uint64_t ops;
    uint64_t world_ops;
    mutant mutant;
} options;

/* What the shards did, summed up: a run that never gets to some answer would
 * say little. */
typedef struct tally {
    uint64_t outcomes[IDP_OUTCOME_COUNT];
    uint64_t no_memory, limit, results_dropped, expired;
    uint64_t over[IDS_LIMIT_TTL + 1]; /* of a namespace's limits */
    uint64_t ns_dropped, shortened;
} tally;

static void add_up(tally *t, const world *w) {
    ids_shard_stats stats;
    world_stats(w, &stats);
    for (int i = 0; i < IDP_OUTCOME_COUNT; i++) {
        t->outcomes[i] += stats.outcomes[i];
    }
    t->no_memory += stats.refused_no_memory;
    t->limit += stats.refused_limit;
    t->results_dropped += stats.results_dropped;
    t->expired += stats.expired;
    for (int i = 0; i <= IDS_LIMIT_TTL; i++) {
        t->over[i] += w->quota.refusals[i];
    }
    t->ns_dropped += w->quota.dropped;
    t->shortened += w->quota.shortened;
}

/* Prints it; false when something was never met. */
static bool print_tally(const tally *t) {
    static const char *const names[] = {
        "acquired",  "replay",   "in_progress", "mismatch", "orphaned",
        "completed", "released", "renewed",     "stale",    "unknown",
        "record",    "deleted",  "refused",     "erased",   "counted"};
    bool all = t->no_memory > 0 && t->limit > 0 && t->results_dropped > 0 &&
               t->expired > 0;
    for (int i = 0; i < IDP_OUTCOME_COUNT; i++) {
        printf("%s %llu, ", names[i], (unsigned long long)t->outcomes[i]);
        all = all && (t->outcomes[i] > 0 || i == IDP_OUTCOME_ERASED ||
                      i == IDP_OUTCOME_COUNTED); /* no shard's */
    }
    printf("NO_MEMORY %llu, LIMIT %llu, results dropped %llu, expired %llu\n",
           (unsigned long long)t->no_memory, (unsigned long long)t->limit,
           (unsigned long long)t->results_dropped,
           (unsigned long long)t->expired);
    printf("over a namespace's records %llu, memory %llu, rate %llu, ttl %llu; "
           "results dropped there %llu, retentions shortened %llu\n",
           (unsigned long long)t->over[IDS_LIMIT_RECORDS],
           (unsigned long long)t->over[IDS_LIMIT_MEMORY],
           (unsigned long long)t->over[IDS_LIMIT_RATE],
           (unsigned long long)t->over[IDS_LIMIT_TTL],
           (unsigned long long)t->ns_dropped, (unsigned long long)t->shortened);
    for (int i = IDS_LIMIT_RECORDS; i <= IDS_LIMIT_TTL; i++) {
        all = all && t->over[i] > 0;
    }
    return all && t->ns_dropped > 0 && t->shortened > 0;
}

/* One world, start to end; without a tally it is written down. False: w
 * tells why. */
static bool run_world(world *w, uint64_t seed, const options *o, tally *t) {
    generator g;
    generator_init(&g, seed, o->mutant);
    if (!world_open(w, &g.config, g.keys)) {
        return world_mem(w)->bytes ==
               0; /* not even an empty shard fits: it says so */
    }
    w->tracing = t == NULL;
    bool good = true;
    for (uint64_t i = 0; good && i < o->world_ops; i++) {
        good = generator_step(&g, w);
    }
    good = good && world_run_out(w);
    if (t) {
        add_up(t, w);
    }
    return world_close(w) && good;
}

static int report(world *w, uint64_t seed, const options *o) {
    if (o->mutant != MUTANT_NONE) {
        printf("mutant %s: caught in world %llu: %s\n", mutant_names[o->mutant],
               (unsigned long long)seed, w->failure);
        return 0;
    }
    run_world(w, seed, o, NULL); /* once more, written down */
    printf("FAILED in world %llu\n  %s\nthe last steps:\n",
           (unsigned long long)seed, w->failure);
    world_print_trace(w);
    printf("again: sim --seed %llu --ops 1 --world-ops %llu\n",
           (unsigned long long)seed, (unsigned long long)o->world_ops);
    return 1;
}

static int simulate(world *w, const options *o) {
    tally t = {0};
    uint64_t done = 0, seed = o->seed;
    for (; done < o->ops; seed++) {
        if (!run_world(w, seed, o, &t)) {
            return report(w, seed, o);
        }
        done += o->world_ops;
    }
    printf("%llu operations in worlds %llu to %llu: the shard and the model "
           "agree, I1 I2 I3 I4 I5 I6 I15 hold\n",
           (unsigned long long)done, (unsigned long long)o->seed,
           (unsigned long long)seed - 1);
    bool all = print_tally(&t);
    if (!all && done >= 1000000) {
        printf("FAILED: something was never met\n");
        return 1;
    }
    if (o->mutant != MUTANT_NONE) {
        printf("mutant %s was not caught\n", mutant_names[o->mutant]);
        return 1;
    }
    return 0;
}

static bool read_mutant(const char *name, mutant *m) {
    for (int i = 0; i < MUTANT_COUNT; i++) {
        if (strcmp(mutant_names[i], name) == 0) {
            *m = (mutant)i;
            return true;
        }
    }
    return false;
}

static bool read_option(const char *name, const char *value, options *o) {
    char *end = NULL;
    uint64_t number = strtoull(value, &end, 10);
    if (strcmp(name, "--mutant") == 0) {
        return read_mutant(value, &o->mutant);
    }
    if (*value == 0 || *end != 0) {
        return false;
    }
    if (strcmp(name, "--seed") == 0) {
        o->seed = number;
    } else if (strcmp(name, "--ops") == 0) {
        o->ops = number;
    } else if (strcmp(name, "--world-ops") == 0) {
        o->world_ops = number;
    } else {
        return false;
    }
    return o->world_ops > 0;
}

int main(int argc, char **argv) {
    options o = {.seed = 1, .ops = 1000000, .world_ops = 5000};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !read_option(argv[i], argv[i + 1], &o)) {
            fprintf(stderr, "sim: %s makes no sense\n", argv[i]);
            return 64;
        }
    }
    world *w = malloc(sizeof *w);
    int status = w ? simulate(w, &o) : 1;
    free(w);
    return status;
}
