/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_listing.c -- what a walk through all records does to the clients.
 *
 * Fill; a steady load, first alone, then while an operator lists them all, a
 * page after the other, as fast as the server answers. */
#include "bench/scenario.h"

#include "client/include/idemclient_look.h"

#include <pthread.h>
#include <stdatomic.h>

#define STEADY_OPS 50000.0
#define WALK_MS    590000u /* a walk may take 10 minutes */

enum { RECORDS, IDB_SEEN_ROWS, SECONDS, LISTED, LISTED_RATE, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    IDB_SEEN_COLUMNS,
    [SECONDS] = {"listing_s", "listing s", 2},
    [LISTED] = {"listed", "listed", 0},
    [LISTED_RATE] = {"listed_per_s", "listed/s", 0},
};

typedef struct lister {
    idb_server server;
    uint64_t records;
    pthread_t thread; /* the walk that is under way */
    bool has_thread;
    atomic_bool is_done;
    const cpu_set_t *cpus;
    uint64_t seen;
    int32_t code;
    char uri[IDB_URI_BYTES];
    char why[512];
} lister;

static void see_listed(void *ctx, const idem_record *one) {
    uint64_t *seen = ctx;
    (void)one;
    ++*seen;
}

static void *lister_main(void *arg) {
    lister *l = arg;
    idem_error err = IDEM_ERROR_INIT;
    idem_list_args args = IDEM_LIST_ARGS_INIT;
    if (l->cpus)
        pthread_setaffinity_np(pthread_self(), sizeof *l->cpus, l->cpus);
    args.timeout_ms = WALK_MS;
    l->code = idem_list(l->uri, &args, see_listed, &l->seen, &err);
    if (l->code != IDEM_OK)
        snprintf(l->why, sizeof l->why, "%s", err.text);
    atomic_store(&l->is_done, true);
    return NULL;
}

static void listing_begin(void *ctx) {
    lister *l = ctx;
    l->has_thread = pthread_create(&l->thread, NULL, lister_main, l) == 0;
    if (l->has_thread)
        return;
    snprintf(l->why, sizeof l->why, "cannot start a thread");
    l->code = IDEM_E_MEMORY;
    atomic_store(&l->is_done, true);
}

static bool listing_is_over(void *ctx) {
    lister *l = ctx;
    return atomic_load(&l->is_done);
}

static const char *list_under_load(lister *l, const idb_plan *plan, double *v) {
    const idb_event event = {listing_begin, listing_is_over, l};
    const char *failed =
        idb_under_twice(plan, STEADY_OPS, &event, &v[BASE_P99], &v[SECONDS]);
    if (l->has_thread)
        pthread_join(l->thread, NULL);
    if (failed || l->code != IDEM_OK)
        return l->code != IDEM_OK ? l->why : failed;
    v[LISTED] = (double)l->seen;
    v[LISTED_RATE] = v[LISTED] / v[SECONDS];
    snprintf(l->why, sizeof l->why, "only %llu of %llu records were listed",
             (unsigned long long)l->seen, (unsigned long long)l->records);
    return l->seen >= l->records ? NULL : l->why;
}

static const char *perform_listing(lister *l, const idb_turn *turn) {
    idb_plan plan =
        idb_plan_of(turn->options, l->server.spec, &l->server.primary.at, NULL);
    double *v = idb_turn_values(turn, "");
    if (!v)
        return "no room in the report";
    v[RECORDS] = (double)l->records;
    l->cpus = plan.cpus;
    idb_uri_write(l->uri, &l->server.primary.at, NULL);
    idb_keep_long(&plan);
    const char *failed = idb_fill(&plan, IDB_FRESH, IDB_SPACE_FILL, l->records);
    return failed ? failed : list_under_load(l, &plan, v);
}

static int tell_listing(const idb_turn *turn) {
    lister l = {.records = turn->records};
    const char *failed = idb_server_start_alone(
        &l.server, turn->options, turn->spec, l.why, sizeof l.why);
    if (!failed)
        failed = perform_listing(&l, turn);
    idb_server_stop(&l.server);
    return idb_round_end(turn->spec, failed);
}

int idb_scenario_listing(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {10000000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->has_files = true;
    report->text =
        "A steady open load, before and while one client lists all records. "
        "Turn: the slowest of a ping to each loop every ms, and how many per "
        "thousand took 10 ms.\n"
        "Listed: what the load has made meanwhile is among it.";
    if (!idb_is_own(options))
        return IDB_EXIT_USAGE;
    return idb_turns(options, report, own, 1, tell_listing);
}
