/* SPDX-License-Identifier: Apache-2.0 */
/* peer_sim.c -- worlds of two to five nodes, from seeds.
 *
 *   peer_sim [--seeds A..B] [--seed N] [--rule-off NAME] [--see replies]
 *            [--tls on|drips] [--decisions on [--mutant NAME]]
 *
 * --seed runs one world and tells its story. A world that fails prints its
 * seed, what it breaks, and the last steps; run again with that seed it is the
 * same world. With --rule-off the peer does not keep one of its rules, and
 * finding that is the success. With --see replies the checker judges by what
 * clients hear alone: slower to notice, but nothing else counts in the end.
 * With
 * --tls the nodes speak TLS with each other over the same network; its random
 * numbers are no seed's, so that a story may differ in what is under way. With
 * --decisions operators resolve and erase, and with --mutant each shard has one
 * of sim's faults in that. */
#include "server/base/log.h"
#include "server/peer/mutant.h"
#include "tests/sim/mutant.h"
#include "tests/sim/peer_agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ids_rule ids_rule_off;
ids_agent_rule ids_agent_rule_off;

static const char *const rule_names[] = {
#define X(name, text) text,
    IDS_RULES(X)
#undef X
};

static const char *const agent_rule_names[] = {
#define X(name, text) text,
    IDS_AGENT_RULES(X)
#undef X
};

typedef struct options {
    uint64_t from, to;
    bool story;
    bool replies_only;
    bool seals, drips;
    bool agents;
    bool decides;
    int mutant;
} options;

static const options *asked;

/* Of either: which one does not hold. NULL: all do. */
static const char *rule_off(void) {
    if (asked != NULL && asked->mutant != MUTANT_NONE) {
        return mutant_names[asked->mutant];
    }
    if (ids_agent_rule_off != IDS_AGENT_RULE_NONE) {
        return agent_rule_names[ids_agent_rule_off];
    }
    return ids_rule_off != IDS_RULE_NONE ? rule_names[ids_rule_off] : NULL;
}

static bool switch_off(const char *name) {
    for (int i = 1; i < IDS_RULE_COUNT; i++) {
        if (strcmp(rule_names[i], name) == 0) {
            ids_rule_off = (ids_rule)i;
        }
    }
    for (int i = 1; i < IDS_AGENT_RULE_COUNT; i++) {
        if (strcmp(agent_rule_names[i], name) == 0) {
            ids_agent_rule_off = (ids_agent_rule)i;
        }
    }
    return rule_off() != NULL;
}

typedef struct tally {
    uint64_t leads, losses, swaps, acknowledged, compared, switched, calls;
    uint64_t kept, resumed, by_key, flipped, unsealed, unreplicated, stood_down;
    uint64_t decided, asked_again, erased, unrecorded;
    uint64_t refused, groups, level, chosen, strangers, clashes, records_lost,
        put_back;
} tally;

static bool read_option(const char *name, const char *value, options *o) {
    char *end = NULL;
    if (strcmp(name, "--rule-off") == 0) {
        return switch_off(value);
    }
    if (strcmp(name, "--see") == 0) {
        o->replies_only = strcmp(value, "replies") == 0;
        return o->replies_only || strcmp(value, "all") == 0;
    }
    if (strcmp(name, "--agents") == 0) {
        o->agents = strcmp(value, "on") == 0;
        return o->agents;
    }
    if (strcmp(name, "--decisions") == 0) {
        o->decides = strcmp(value, "on") == 0;
        return o->decides;
    }
    if (strcmp(name, "--mutant") == 0) {
        for (int m = 1; m < MUTANT_COUNT; m++) {
            o->mutant = strcmp(mutant_names[m], value) == 0 ? m : o->mutant;
        }
        return o->mutant != MUTANT_NONE;
    }
    if (strcmp(name, "--tls") == 0) {
        o->seals = true;
        o->drips = strcmp(value, "drips") == 0;
        return o->drips || strcmp(value, "on") == 0;
    }
    o->from = o->to = strtoull(value, &end, 10);
    if (strcmp(name, "--seed") == 0) {
        o->story = true;
        return end != value && *end == 0;
    }
    if (strcmp(name, "--seeds") != 0 || strncmp(end, "..", 2) != 0) {
        return false;
    }
    o->to = strtoull(end + 2, &end, 10);
    return *end == 0 && o->to >= o->from;
}

static void tell(const pw_world *w) {
    uint64_t from = w->traced > PW_TRACE_LINES ? w->traced - PW_TRACE_LINES : 0;
    for (uint64_t i = from; i < w->traced; i++) {
        printf("    %s\n", w->trace[i % PW_TRACE_LINES]);
    }
}

/* An assert of the product's, in the world that is run. */
static uint64_t seed_now;

void __assert_fail(const char *what, const char *file, unsigned line,
                   const char *function) {
    unsigned long long worlds = seed_now + 1 - asked->from;
    const char *name = strstr(file, "server/");
    printf("%s%s: caught after %llu seeds, in world %llu: assert(%s) in %s, "
           "%s:%u\n",
           rule_off() == NULL ? "FAILED" : "without ",
           rule_off() == NULL ? "" : rule_off(), worlds,
           (unsigned long long)seed_now, what, function,
           name != NULL ? name : file, line);
    fflush(stdout);
    if (rule_off() == NULL) {
        abort();
    }
    _Exit(0);
}

static int report(pw_world *w, uint64_t seed, const options *o) {
    unsigned long long worlds = seed + 1 - o->from;
    if (rule_off() != NULL) {
        printf("without %s: caught after %llu seeds, in world %llu: %s\n",
               rule_off(), worlds, (unsigned long long)seed, w->failure);
    }
    if (rule_off() == NULL || o->story) {
        w->tracing = true;
        pw_run(w, seed); /* once more, written down */
        printf("FAILED in world %llu\n", (unsigned long long)seed);
        tell(w);
        printf("  %s\nagain: peer_sim%s --seed %llu\n", w->failure,
               o->decides  ? " --decisions on"
               : o->agents ? " --agents on"
               : o->drips  ? " --tls drips"
               : o->seals  ? " --tls on"
                           : "",
               (unsigned long long)seed);
    }
    return rule_off() == NULL;
}

static void add_up(tally *t, const pw_world *w) {
    t->leads += w->leads;
    t->losses += w->losses;
    t->swaps += w->swaps;
    t->acknowledged += w->acknowledged;
    t->compared += w->compared;
    t->switched += w->switched;
    t->calls += w->ops;
    t->kept += w->kept;
    t->resumed += w->resumed;
    t->by_key += w->by_key;
    t->flipped += w->flipped;
    t->unsealed += w->unsealed;
    t->unreplicated += w->unreplicated;
    t->stood_down += w->stood_down;
    t->refused += w->refused;
    t->groups += w->groups;
    t->level += w->level;
    t->chosen += w->chosen;
    t->strangers += w->strangers;
    t->clashes += w->clashes;
    t->records_lost += w->records_lost;
    t->put_back += w->put_back;
    t->decided += w->decided;
    t->asked_again += w->asked_again;
    t->erased += w->erased;
    t->unrecorded += w->unrecorded;
}

static int simulate(pw_world *w, const options *o) {
    tally t = {0};
    for (uint64_t seed = o->from; seed <= o->to; seed++) {
        w->tracing = o->story;
        seed_now = seed;
        if (!pw_run(w, seed)) {
            return report(w, seed, o);
        }
        if (o->story) {
            tell(w);
        }
        add_up(&t, w);
    }
    printf(
        "worlds %llu to %llu: I1 to I13 hold, and all of them healed\n"
        "%llu calls, %llu acknowledged replies, %llu primaries (%llu by "
        "switchover), %llu full copies, %llu joins by key, %llu sessions "
        "resumed, %llu "
        "comparisons, %llu answers UNREPLICATED, %llu held replies never "
        "sent, %llu bits flipped, %llu times loss was accepted, %llu third "
        "nodes kept out, %llu worlds of several replicas (%llu times these had "
        "the "
        "same numbers, %llu switchovers to one of them), %llu strangers, %llu "
        "times two led in one epoch, "
        "%llu records lost, %llu copies put back\n",
        (unsigned long long)o->from, (unsigned long long)o->to,
        (unsigned long long)t.calls, (unsigned long long)t.acknowledged,
        (unsigned long long)t.leads, (unsigned long long)t.switched,
        (unsigned long long)t.swaps, (unsigned long long)t.by_key,
        (unsigned long long)t.resumed, (unsigned long long)t.compared,
        (unsigned long long)t.unreplicated, (unsigned long long)t.stood_down,
        (unsigned long long)t.flipped, (unsigned long long)t.losses,
        (unsigned long long)t.refused, (unsigned long long)t.groups,
        (unsigned long long)t.level, (unsigned long long)t.chosen,
        (unsigned long long)t.strangers, (unsigned long long)t.clashes,
        (unsigned long long)t.records_lost, (unsigned long long)t.put_back);
    if (o->seals)
        printf("%llu connections between nodes were ended by TLS\n",
               (unsigned long long)t.unsealed);
    if (o->decides)
        printf(
            "%llu claims decided, %llu asked again, %llu erased, %llu not on "
            "record and so not done\n",
            (unsigned long long)t.decided, (unsigned long long)t.asked_again,
            (unsigned long long)t.erased, (unsigned long long)t.unrecorded);
    if (o->decides && rule_off() == NULL &&
        (!t.decided || !t.asked_again || !t.erased || !t.unrecorded)) {
        printf("FAILED: something was never decided\n");
        return 1;
    }
    if (o->seals && t.unsealed == 0) {
        printf("FAILED: no bit that flipped was met\n");
        return 1;
    }
    if (!o->agents && o->to - o->from >= 999 && rule_off() == NULL &&
        (!t.switched || !t.resumed || !t.unreplicated || !t.stood_down ||
         !t.flipped || !t.refused || !t.groups || !t.level || !t.chosen ||
         !t.strangers || !t.clashes || !t.records_lost || !t.put_back)) {
        printf("FAILED: something was never met\n");
        return 1;
    }
    if (o->agents && o->to - o->from >= 99 && rule_off() == NULL && !t.by_key) {
        printf("FAILED: nobody joined by key\n");
        return 1;
    }
    if (rule_off() != NULL) {
        printf("without %s: not caught\n", rule_off());
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    options o = {.from = 1, .to = 1000};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !read_option(argv[i], argv[i + 1], &o)) {
            fprintf(stderr, "peer_sim: %s makes no sense\n", argv[i]);
            return 64;
        }
    }
    pw_world *w = calloc(1, sizeof *w);
    asked = &o;
    ids_log_set_level(IDS_LOG_LEVEL_COUNT);
    void *trace = calloc(PW_TRACE_LINES, PW_TRACE_COLUMNS);
    int status = 1;
    if (w != NULL && trace != NULL) {
        w->trace = trace;
        w->agents = o.agents ? calloc(1, sizeof *w->agents) : NULL;
        w->replies_only = o.replies_only;
        w->seals = o.seals;
        w->decides = o.decides;
        w->mutant = o.mutant;
        w->drips = o.drips;
        status = simulate(w, &o);
    }
    free(trace);
    free(w != NULL ? w->agents : NULL);
    free(w);
    return status;
}
