/* SPDX-License-Identifier: Apache-2.0 */
/* agent_sim.c -- worlds of nodes with agents beside them, from seeds.
 *
 *   agent_sim [--seeds A..B] [--seed N] [--rule-off NAME]
 *
 * --seed runs one world and tells its story. A world that fails prints its
 * seed, what it breaks, and the last steps; run again with that seed it is the
 * same world. With --rule-off the agent does not keep one of its rules, and
 * finding that is the success. */
#include "server/peer/mutant.h"
#include "tests/sim/agent_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ids_agent_rule ids_agent_rule_off;
ids_rule ids_rule_off; /* the peer's: all of them hold */

static const char *const rule_names[] = {
#define X(name, text) text,
    IDS_AGENT_RULES(X)
#undef X
};

typedef struct options {
    uint64_t from, to;
    bool story;
} options;

static bool read_option(const char *name, const char *value, options *o) {
    char *end = NULL;
    if (strcmp(name, "--rule-off") == 0) {
        for (int i = 1; i < IDS_AGENT_RULE_COUNT; i++)
            if (strcmp(rule_names[i], value) == 0)
                ids_agent_rule_off = (ids_agent_rule)i;
        return ids_agent_rule_off != IDS_AGENT_RULE_NONE;
    }
    o->from = o->to = strtoull(value, &end, 10);
    if (strcmp(name, "--seed") == 0) {
        o->story = true;
        return end != value && *end == 0;
    }
    if (strcmp(name, "--seeds") != 0 || strncmp(end, "..", 2) != 0)
        return false;
    o->to = strtoull(end + 2, &end, 10);
    return *end == 0 && o->to >= o->from;
}

static void tell(const aw_world *w) {
    uint64_t from = w->traced > AW_TRACE_LINES ? w->traced - AW_TRACE_LINES : 0;
    for (uint64_t i = from; i < w->traced; i++)
        printf("    %s\n", w->trace[i % AW_TRACE_LINES]);
}

static int report(aw_world *w, uint64_t seed, const options *o) {
    bool rule_off = ids_agent_rule_off != IDS_AGENT_RULE_NONE;
    if (rule_off)
        printf("without %s: caught after %llu seeds: %s\n",
               rule_names[ids_agent_rule_off],
               (unsigned long long)(seed + 1 - o->from), w->failure);
    if (!rule_off || o->story) {
        w->tracing = true;
        aw_run(w, seed); /* once more, written down */
        printf("FAILED in world %llu\n", (unsigned long long)seed);
        tell(w);
        printf("  %s\nagain: agent_sim --seed %llu\n", w->failure,
               (unsigned long long)seed);
    }
    return !rule_off;
}

static void add_up(aw_tally *sum, const aw_tally *one) {
    const uint64_t *from = (const uint64_t *)one;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

#define N(what) ((unsigned long long)t->what)

static void print_tally(const aw_tally *t) {
    printf("%llu calls, %llu grants, %llu replays; %llu faults, %llu reads of "
           "old versions, %llu requests late, %llu doubled, %llu leases ended "
           "early, %llu times loss was accepted\n",
           N(calls), N(grants), N(replays), N(faults), N(old_reads), N(late),
           N(doubled), N(leases_ended), N(loss_accepted));
    printf("%llu times etcd alone was away for a minute, and nobody noticed\n",
           N(quiet));
    printf("%llu promotions, %llu offers; records:", N(promotions), N(offers));
    for (int i = 0; i < IDS_GROUP_WHY_COUNT; i++)
        printf(" %llu %s", N(whys[i]), ids_group_why_text((ids_group_why)i));
    printf("\n");
}

/* Each of these was met, or the worlds have become tame. */
static bool met_all(const aw_tally *t) {
    for (int i = 0; i < IDS_GROUP_WHY_COUNT; i++)
        if (t->whys[i] == 0)
            return false;
    for (int i = 0; i < IDS_AGENT_TROUBLE_COUNT; i++) {
        if (t->troubles[i] || i == IDS_AGENT_TROUBLE_GROUP ||
            i == IDS_AGENT_TROUBLE_EPOCH)
            continue;
        printf("never: %s\n", ids_agent_trouble_text((ids_agent_trouble)i));
        return false;
    }
    return t->quiet && t->old_reads && t->late && t->doubled && t->leases_ended;
}

static int simulate(aw_world *w, const options *o) {
    aw_tally sum = {0};
    for (uint64_t seed = o->from; seed <= o->to; seed++) {
        w->tracing = o->story;
        if (!aw_run(w, seed))
            return report(w, seed, o);
        if (o->story)
            tell(w);
        add_up(&sum, &w->tally);
    }
    if (ids_agent_rule_off != IDS_AGENT_RULE_NONE) {
        printf("without %s: not caught\n", rule_names[ids_agent_rule_off]);
        return 1;
    }
    printf("worlds %llu to %llu: nothing that was answered is lost, and all of "
           "them healed\n",
           (unsigned long long)o->from, (unsigned long long)o->to);
    print_tally(&sum);
    if (o->to - o->from >= 299 && !met_all(&sum)) {
        printf("FAILED: something was never met\n");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    options o = {.from = 1, .to = 300};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !read_option(argv[i], argv[i + 1], &o)) {
            fprintf(stderr, "agent_sim: %s makes no sense\n", argv[i]);
            return 64;
        }
    }
    aw_world *w = calloc(1, sizeof *w);
    void *trace = calloc(AW_TRACE_LINES, AW_TRACE_COLUMNS);
    int status = 1;
    if (w && trace) {
        w->trace = trace;
        status = simulate(w, &o);
    }
    free(trace);
    free(w);
    return status;
}
