/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_failover.c -- how long a client hears nothing when the primary
 * changes.
 *
 * libidemclient calls in a loop, acquire and complete of fresh keys, with the
 * addresses of both nodes. Then either the primary is told to hand over, or
 * it is killed (-9) and the replica is promoted at once. The gap is the
 * longest time between two answers from that moment on. Each pair changes
 * its primary once. */
#include "bench/admin.h"
#include "bench/scenario.h"
#include "client/include/idemclient.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define BEFORE_NS  (500 * IDB_NS_PER_MS)
#define AFTER_NS   (500 * IDB_NS_PER_MS)
#define PROMOTE_NS (10 * IDB_NS_PER_S)

enum { GAP, ORDERED, ANSWERS, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [GAP] = {"gap_ms", "gap ms", 1},
    [ORDERED] = {"ordered_ms", "order took ms", 1},
    [ANSWERS] = {"answers", "answers", 0},
};

typedef struct watch {
    idb_server server;
    const idb_work *work;
    idem_client *client;
    const cpu_set_t *cpus;
    pthread_t thread;
    atomic_uint_least64_t from_ns; /* 0: gaps do not count yet */
    atomic_bool stops;
    uint64_t last_ns; /* the answer before */
    uint64_t gap_ns;
    uint64_t answers;
    const char *failed;
    char why[512];
} watch;

static void note_failover_event(watch *w) {
    uint64_t now_ns = idb_now_ns(), from_ns = atomic_load(&w->from_ns);
    if (from_ns && w->last_ns && now_ns > from_ns &&
        now_ns - w->last_ns > w->gap_ns)
        w->gap_ns = now_ns - w->last_ns;
    w->last_ns = now_ns;
    w->answers++;
}

static const char *job(watch *w, uint64_t number, idem_answer *answer) {
    const idb_work *work = w->work;
    uint8_t key[IDB_KEY_BYTES_MAX], print[IDB_FINGERPRINT_BYTES_MAX];
    static const uint8_t result[200];
    idem_args args = {.size = sizeof args,
                      .key = key,
                      .key_len = work->key_bytes,
                      .fingerprint = print,
                      .fingerprint_len = work->fingerprint_bytes,
                      .lease_ms = work->lease_ms,
                      .ttl_ms = work->ttl_ms,
                      .result = result,
                      .result_len = sizeof result};
    idem_error err = {.size = sizeof err};
    idb_key_write(work, number, key);
    idb_fingerprint_write(work, number, false, print);
    int32_t code = idem_acquire(w->client, &args, answer, &err);
    if (code == 0 && answer->outcome == IDEM_ACQUIRED) {
        note_failover_event(w);
        args.token = answer->token;
        code = idem_complete(w->client, &args, answer, &err);
        if (code == 0 && answer->outcome == IDEM_COMPLETED) {
            note_failover_event(w);
            return NULL;
        }
    }
    snprintf(w->why, sizeof w->why, "a client heard %.400s",
             code ? err.text : idem_outcome_name(answer->outcome));
    return w->why;
}

static void *watch_main(void *arg) {
    watch *w = arg;
    idem_answer answer = {.size = sizeof answer};
    if (w->cpus)
        sched_setaffinity(0, sizeof *w->cpus, w->cpus);
    for (uint64_t number = IDB_SPACE_NEW; !atomic_load(&w->stops); number++) {
        w->failed = job(w, number, &answer);
        if (w->failed)
            break;
    }
    idem_answer_fini(&answer);
    return NULL;
}

/* A replica that has not yet noticed may refuse; whoever scripts it asks
 * again. */
static const char *promote(const idb_endpoint *at, char *why, size_t cap) {
    idp_command_answer answer;
    uint64_t until_ns = idb_now_ns() + PROMOTE_NS;
    for (;;) {
        const char *failed = idb_admin(at, IDP_PROMOTE, 10, &answer, why, cap);
        if (!failed || idb_now_ns() > until_ns)
            return failed;
        usleep(1000);
    }
}

static const char *change(watch *w, bool is_planned, char *why, size_t cap) {
    idb_server *s = &w->server;
    idp_command_answer answer;
    atomic_store(&w->from_ns, idb_now_ns());
    if (is_planned)
        return idb_admin(&s->primary.at, IDP_SWITCHOVER, 10, &answer, why, cap);
    idb_node_end(&s->primary, SIGKILL);
    return promote(&s->replicas[0].at, why, cap);
}

static const char *perform_failover(watch *w, bool is_planned, double *v) {
    char uri[IDB_URI_BYTES], why[512];
    idb_server *s = &w->server;
    idb_uri_write(uri, &s->primary.at, &s->replicas[0].at);
    if (idem_client_open(uri, &w->client, NULL) != 0)
        return "cannot make a client";
    if (pthread_create(&w->thread, NULL, watch_main, w) != 0)
        return "cannot start a thread";
    idb_sleep_until_ns(idb_now_ns() + BEFORE_NS);
    uint64_t start_ns = idb_now_ns();
    const char *failed = change(w, is_planned, why, sizeof why);
    uint64_t end_ns = idb_now_ns();
    if (failed)
        fprintf(stderr, "idembench: %s\n", failed);
    idb_sleep_until_ns(end_ns + AFTER_NS);
    atomic_store(&w->stops, true);
    pthread_join(w->thread, NULL);
    v[GAP] = (double)w->gap_ns / 1e6;
    v[ORDERED] = (double)(end_ns - start_ns) / 1e6;
    v[ANSWERS] = (double)w->answers;
    if (failed)
        return "the primary did not change";
    return w->failed;
}

static int tell_failover(const idb_options *options, idb_report *report,
                         const idb_spec *own, bool is_planned) {
    idb_spec spec = *own;
    watch w = {.work = &options->work,
               .cpus = options->client_cpus.set ? &options->client_cpus.cpus
                                                : NULL};
    char label[96];
    if (spec.replication <= IDB_REPLICATION_NONE)
        spec.replication = IDB_REPLICATION_SYNC;
    spec.replicas = 1;
    snprintf(label, sizeof label, "%s %s", spec.label,
             is_planned ? "planned" : "killed");
    double *v = idb_result_round(idb_report_row(report, label));
    const char *failed = "no room in the report";
    if (v)
        failed =
            idb_server_start(&w.server, options, &spec, w.why, sizeof w.why);
    if (!failed)
        failed = perform_failover(&w, is_planned, v);
    idem_client_close(w.client);
    if (v)
        idb_server_stop(&w.server);
    if (failed)
        fprintf(stderr, "idembench: %s: %s\n", label, failed);
    return failed ? 1 : 0;
}

static int run_failover(const idb_turn *turn) {
    int failed = tell_failover(turn->options, turn->report, turn->spec, true);
    return failed
               ? failed
               : tell_failover(turn->options, turn->report, turn->spec, false);
}

int idb_scenario_failover(const idb_options *options, idb_report *report) {
    report->columns = columns;
    report->column_count = COLUMNS;
    report->has_files = true;
    report->text =
        "One libidemclient calls in a loop. Planned: the primary is told to "
        "hand over. Killed: kill -9, and the replica is promoted at once.\n"
        "Gap: the longest time between two answers from then on.";
    if (!idb_is_own(options))
        return IDB_EXIT_USAGE;
    return idb_turns(options, report, NULL, 0, run_failover);
}
