/* SPDX-License-Identifier: Apache-2.0 */
/* figures.c -- how long a group with agents serves nobody, as its clients see
 * it, and what it asks of etcd. Prints a table; judges nothing, since a busy
 * machine is as slow as it is.
 *
 *   agent_figures IDEMSTORED IDEMAGENT [--nodes 3] [--kills 100] [--stops 20]
 *       [--switchovers 100] [--records 100000] [--quiet-s 20] [--threads 4] */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "proto/commands.h"
#include "tests/agent/claims.h"
#include "tests/agent/group.h"
#include "tests/e2e/harness.h"

enum { PATIENCE_MS = 120000, COUNT_MAX = 10000, FILLERS = 32 };

typedef struct options {
    unsigned nodes, kills, stops, switchovers, records, quiet_s, threads;
} options;

typedef struct figure {
    const char *name;
    double ms[COUNT_MAX];
    unsigned count;
} figure;

/* --- what comes out ------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_figure(figure *f, uint64_t us) {
    CHECK(f->count < COUNT_MAX, "%s: too many", f->name);
    f->ms[f->count++] = (double)us / 1000;
}

/* The smallest that so many percent are not above. */
static double percentile(const figure *f, unsigned percent) {
    unsigned rank = (f->count * percent + 99) / 100;
    return f->ms[rank ? rank - 1 : 0];
}

static void print_figure(figure *f) {
    if (f->count == 0)
        return;
    qsort(f->ms, f->count, sizeof *f->ms, ascending);
    printf("%-50s %5u %8.0f %8.0f %8.0f\n", f->name, f->count,
           percentile(f, 50), percentile(f, 99), f->ms[f->count - 1]);
    fflush(stdout);
}

/* --- the primary goes ----------------------------------------------------- */

static int whole_primary(test_group *group) {
    group_await_whole(group);
    return group_primary(group);
}

/* Waits for the first claim that was granted in a later epoch. */
static claims_seen next_epoch(claims *all, uint64_t epoch) {
    for (unsigned steps = 0;; steps++) {
        claims_seen seen = claims_look(all);
        if (seen.epoch > epoch)
            return seen;
        CHECK(steps < PATIENCE_MS, "no claim was granted in a new epoch");
        e2e_sleep_ms(1);
    }
}

static void kill_primaries(test_group *group, claims *all, unsigned count) {
    static figure from_death = {.name = "killed, until the next claim, ms"};
    for (unsigned i = 0; i < count; i++) {
        int was = whole_primary(group);
        e2e_sleep_ms(200 + i * 37 % 250); /* at any moment of agents' rounds */
        uint64_t epoch = claims_look(all).epoch, at_us = claims_now_us();
        group_kill(&group_node(group, was)->node);
        add_figure(&from_death, next_epoch(all, epoch).first_us - at_us);
        group_restart_node(group, was);
    }
    print_figure(&from_death);
}

static void stop_primaries(test_group *group, claims *all, unsigned count) {
    static figure silent = {.name = "stands still, until the next claim, ms"};
    for (unsigned i = 0; i < count; i++) {
        int was = whole_primary(group);
        pid_t pid = group_node(group, was)->node.pid;
        e2e_sleep_ms(200 + i * 37 % 250);
        uint64_t epoch = claims_look(all).epoch, at_us = claims_now_us();
        kill(pid, SIGSTOP);
        add_figure(&silent, next_epoch(all, epoch).first_us - at_us);
        kill(pid, SIGCONT);
    }
    print_figure(&silent);
}

static void switch_over(test_group *group, claims *all, unsigned count) {
    static figure gap = {.name = "planned, between two claims, ms"};
    static figure whole = {.name = "planned, from the order to a claim, ms"};
    for (unsigned i = 0; i < count; i++) {
        int was = whole_primary(group);
        e2e_sleep_ms(200 + i * 37 % 250);
        uint64_t epoch = claims_look(all).epoch, at_us = claims_now_us();
        group_order(group, was == 0 ? 1 : 0, "switchover");
        claims_seen seen = next_epoch(all, epoch);
        add_figure(&gap, seen.first_us - seen.previous_us);
        add_figure(&whole, seen.first_us - at_us);
    }
    print_figure(&gap);
    print_figure(&whole);
}

/* --- a takeover with records ---------------------------------------------- */

typedef struct filler {
    const char *uri;
    _Atomic unsigned *next;
    unsigned count;
} filler;

static int32_t do_nothing(idem_run *run, void *ctx) {
    (void)ctx;
    CHECK(idem_run_set_result(run, "done", 4, IDEM_CLASS_SUCCESS) == 0,
          "no memory");
    return IDEM_RUN_DONE;
}

static void *fill_on(void *arg) {
    filler *f = arg;
    idem_client *client;
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    CHECK(idem_client_open(f->uri, &client, &err) == 0, "%s", err.text);
    for (unsigned at; (at = atomic_fetch_add(f->next, 1)) < f->count;) {
        char key[32];
        snprintf(key, sizeof key, "record-%u", at);
        idem_args args = {.size = sizeof args,
                          .timeout_ms = PATIENCE_MS,
                          .key = key,
                          .key_len = strlen(key)};
        int32_t code =
            idem_run_once(client, &args, do_nothing, NULL, &answer, &err);
        CHECK(code == 0, "%s: %s", key, err.text);
    }
    idem_answer_fini(&answer);
    idem_client_close(client);
    return NULL;
}

static void fill(const char *uri, unsigned count) {
    static _Atomic unsigned next;
    filler f = {.uri = uri, .next = &next, .count = count};
    pthread_t threads[FILLERS];
    for (int i = 0; i < FILLERS; i++)
        CHECK(pthread_create(&threads[i], NULL, fill_on, &f) == 0, "no thread");
    for (int i = 0; i < FILLERS; i++)
        pthread_join(threads[i], NULL);
}

/* By the primary's own word each member is whole, and there are so many. */
static bool copies_are_whole(test_group *group, uint32_t members) {
    ids_group_view view = group_view(group);
    int at = group_primary(group);
    idp_request ask = {.method = IDP_REPLICATION};
    idp_replication said;
    idp_reply reply;
    wire w;
    uint32_t whole = 0;
    if (at < 0 || !wire_open(&w, group_node(group, at)->port))
        return false;
    bool heard = wire_ask(&w, &ask, &reply) && !reply.is_error &&
                 idp_replication_read(reply.result, &said);
    for (uint32_t i = 0; heard && i < said.group.seen_count; i++)
        whole += strcmp(said.group.seen[i].as, "member") == 0 &&
                 said.group.seen[i].session && said.group.seen[i].whole;
    wire_close(&w);
    return heard && said.group.leading && said.group.rev == view.revision &&
           view.group.isr_count == members && whole + 1 == members;
}

static void take_over_with(test_group *group, claims *all, const options *o) {
    static figure copies;
    char name[80];
    fill(group_uri(group), o->records);
    snprintf(name, sizeof name, "killed, %u records: all copies whole, ms",
             o->records);
    if (o->nodes < 3)
        return; /* who is alone has no copies */
    for (unsigned i = 0; i < 5; i++) {
        int was = whole_primary(group);
        uint64_t epoch = claims_look(all).epoch, at_us = claims_now_us();
        group_kill(&group_node(group, was)->node);
        next_epoch(all, epoch);
        for (int steps = 0; !copies_are_whole(group, o->nodes - 1); steps++) {
            CHECK(steps < PATIENCE_MS / 2, "the copies are not whole");
            e2e_sleep_ms(2);
        }
        add_figure(&copies, claims_now_us() - at_us);
        group_restart_node(group, was);
    }
    copies.name = name;
    print_figure(&copies);
}

/* --- etcd ----------------------------------------------------------------- */

static void ask_etcd_for(test_group *group, unsigned seconds) {
    group_await_whole(group);
    e2e_sleep_ms(2000);
    uint64_t before = group_etcd_requests(group), at_us = claims_now_us();
    e2e_sleep_ms(seconds * 1000);
    double count = (double)(group_etcd_requests(group) - before);
    double took_s = (double)(claims_now_us() - at_us) / 1e6;
    printf("%-50s %5.0f %8.1f\n", "etcd's requests a second and node", count,
           count / took_s / group_size(group));
}

/* --- all of it ------------------------------------------------------------ */

static void read_options(options *o, int argc, char **argv) {
    const struct {
        const char *name;
        unsigned *value, most;
    } all[] = {{"--nodes", &o->nodes, TEST_NODES_MAX},
               {"--kills", &o->kills, COUNT_MAX},
               {"--stops", &o->stops, COUNT_MAX},
               {"--switchovers", &o->switchovers, COUNT_MAX},
               {"--records", &o->records, 100000000},
               {"--quiet-s", &o->quiet_s, 3600},
               {"--threads", &o->threads, CLAIM_THREADS_MAX}};
    for (int i = 3; i < argc; i += 2) {
        bool known = false;
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            if (strcmp(argv[i], all[k].name) != 0 || i + 1 == argc)
                continue;
            *all[k].value = (unsigned)strtoul(argv[i + 1], NULL, 10);
            known = *all[k].value <= all[k].most;
        }
        CHECK(known, "%s: no such option, or too much of it", argv[i]);
    }
    CHECK(o->nodes >= 2 && o->threads >= 1, "2 nodes at least, and a thread");
}

static void print_load(const options *o) {
    double load[3] = {0};
    CHECK(getloadavg(load, 3) > 0, "no load");
    printf("%u nodes, lease 3 s, %u threads that claim; load average %.1f on "
           "%ld processors\n",
           o->nodes, o->threads, load[0], sysconf(_SC_NPROCESSORS_ONLN));
    fflush(stdout);
}

int main(int argc, char **argv) {
    options o = {.nodes = 3,
                 .kills = 100,
                 .stops = 20,
                 .switchovers = 100,
                 .records = 100000,
                 .quiet_s = 20,
                 .threads = 4};
    if (argc < 3)
        return 64;
    read_options(&o, argc, argv);
    test_group *group = group_start(
        &(test_group_spec){.idemstored = argv[1],
                           .idemagent = argv[2],
                           .nodes = (int)o.nodes,
                           .max_memory = o.records > 200000 ? "2g" : "256m"});
    print_load(&o);
    printf("%-50s %5s %8s %8s %8s\n", "", "n", "p50", "p99", "most");
    claims *all = claims_start(group_uri(group), o.threads);
    kill_primaries(group, all, o.kills);
    stop_primaries(group, all, o.stops);
    switch_over(group, all, o.switchovers);
    if (o.quiet_s)
        ask_etcd_for(group, o.quiet_s);
    if (o.records)
        take_over_with(group, all, &o);
    print_load(&o);
    claims_stop(all);
    group_stop(group);
    return 0;
}
