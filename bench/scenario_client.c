/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_client.c -- what libidemclient's blocking calls add to a bare
 * socket, and what many threads get out of one client.
 *
 *   echo 1 thread      send, then recv, of messages as long as ours, to the
 *                      echo server: what blocking costs anyone
 *   client 1 thread    acquire and complete of fresh keys
 *   client 64 threads  the same, all sharing one idem_client */
#include "bench/scenario.h"
#include "client/include/idemclient.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHARERS 64

enum { OPS, P50, P99, MAX, CONNECTIONS, PER_CONNECTION, FAIRNESS, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [OPS] = {"ops_per_s", "ops/s", 0},
    [P50] = {"p50_us", "p50 us", 1},
    [P99] = {"p99_us", "p99 us", 1},
    [MAX] = {"max_us", "max us", 0},
    [CONNECTIONS] = {"connections", "connections", 0},
    [PER_CONNECTION] = {"ops_per_s_per_connection", "ops/s each", 0},
    [FAIRNESS] = {"least_of_mean", "least/mean", 2},
};

typedef struct caller {
    struct gang *gang;
    pthread_t thread;
    uint32_t number;
    uint64_t ops;
    idb_hist *hist;
    const char *failed;
} caller;

typedef struct gang {
    const idb_plan *plan;
    idem_client *client; /* NULL: the echo */
    uint32_t threads;
    uint64_t measure_ns, stop_ns;
    caller *callers;
} gang;

typedef struct story {
    idb_report *report;
    const char *label;
    uint32_t threads;
    bool echo;
} story;

static bool note_client_event(caller *c, uint64_t start_ns, uint64_t end_ns) {
    if (start_ns >= c->gang->measure_ns) {
        idb_hist_record(c->hist, end_ns - start_ns);
        c->ops++;
    }
    return end_ns < c->gang->stop_ns;
}

static bool echo_once(const idb_codec *codec, int fd, idb_slot *slot,
                      uint8_t *bytes) {
    size_t len = idb_target_echo.write(codec, slot, 0, bytes), at = 0;
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        return false;
    while (at < len) {
        ssize_t got = recv(fd, bytes + at, len - at, 0);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

static void echo_calls(caller *c) {
    const idb_plan *plan = c->gang->plan;
    idb_codec codec = {.work = plan->work, .shards = 1};
    idb_slot slot = {.number = IDB_SPACE_NEW};
    uint8_t *bytes = malloc(idb_target_echo.request_bytes_max(&plan->work));
    int fd = idb_connect(&plan->server);
    c->failed = fd < 0 || !bytes ? "cannot connect to the echo server" : NULL;
    for (bool going = !c->failed; going;) {
        uint64_t start_ns = idb_now_ns();
        if (!echo_once(&codec, fd, &slot, bytes)) {
            c->failed = "the echo server closed";
            break;
        }
        going = note_client_event(c, start_ns, idb_now_ns());
        slot.number += slot.step;
        slot.step = !slot.step;
    }
    if (fd >= 0)
        close(fd);
    free(bytes);
}

static void client_calls(caller *c) {
    const idb_work *work = &c->gang->plan->work;
    uint8_t key[IDB_KEY_BYTES_MAX], print[IDB_FINGERPRINT_BYTES_MAX];
    uint8_t *result = malloc(work->result_bytes + 1);
    idem_answer answer = {.size = sizeof answer};
    uint64_t number = IDB_SPACE_NEW | (uint64_t)c->number << 40;
    for (bool going = result != NULL; going; number++) {
        idem_args args = {.size = sizeof args,
                          .key = key,
                          .key_len = work->key_bytes,
                          .fingerprint = print,
                          .fingerprint_len = work->fingerprint_bytes,
                          .lease_ms = work->lease_ms,
                          .ttl_ms = work->ttl_ms,
                          .result = result,
                          .result_len = work->result_bytes};
        idb_key_write(work, number, key);
        idb_fingerprint_write(work, number, false, print);
        idb_result_write(work, number, result);
        uint64_t start_ns = idb_now_ns();
        if (idem_acquire(c->gang->client, &args, &answer, NULL) != 0 ||
            answer.outcome != IDEM_ACQUIRED) {
            c->failed = "acquire failed";
            break;
        }
        uint64_t middle_ns = idb_now_ns();
        note_client_event(c, start_ns, middle_ns);
        args.token = answer.token;
        if (idem_complete(c->gang->client, &args, &answer, NULL) != 0 ||
            answer.outcome != IDEM_COMPLETED) {
            c->failed = "complete failed";
            break;
        }
        going = note_client_event(c, middle_ns, idb_now_ns());
    }
    idem_answer_fini(&answer);
    free(result);
}

static void *caller_main(void *arg) {
    caller *c = arg;
    const idb_plan *plan = c->gang->plan;
    if (plan->cpus)
        sched_setaffinity(0, sizeof *plan->cpus, plan->cpus);
    if (c->gang->client)
        client_calls(c);
    else
        echo_calls(c);
    return NULL;
}

static const char *gang_run(gang *g) {
    const char *failed = NULL;
    uint32_t started = 0;
    g->measure_ns = idb_now_ns() + g->plan->warmup_ns;
    g->stop_ns = g->measure_ns + g->plan->duration_ns;
    for (uint32_t i = 0; i < g->threads && !failed; i++) {
        caller *c = &g->callers[i];
        *c = (caller){.gang = g, .number = i, .hist = idb_hist_new()};
        if (!c->hist || pthread_create(&c->thread, NULL, caller_main, c))
            failed = "cannot start a thread";
        else
            started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(g->callers[i].thread, NULL);
        if (g->callers[i].failed)
            failed = g->callers[i].failed;
    }
    return failed;
}

static const char *gang_report(const gang *g, const story *s, double shards) {
    idb_result *result = idb_report_row(s->report, s->label);
    double *v = idb_result_round(result);
    uint64_t ops = 0, least = UINT64_MAX;
    idb_hist *all = idb_hist_new();
    if (!v || !all) {
        idb_hist_free(all);
        return "no room in the report";
    }
    for (uint32_t i = 0; i < g->threads; i++) {
        ops += g->callers[i].ops;
        if (g->callers[i].ops < least)
            least = g->callers[i].ops;
        idb_hist_add(all, g->callers[i].hist);
    }
    v[OPS] = (double)ops * 1e9 / (double)g->plan->duration_ns;
    v[P50] = (double)idb_hist_at(all, 0.5) / 1e3;
    v[P99] = (double)idb_hist_at(all, 0.99) / 1e3;
    v[MAX] = (double)all->max_ns / 1e3;
    v[CONNECTIONS] = shards;
    v[PER_CONNECTION] = v[OPS] / shards;
    v[FAIRNESS] = ops ? (double)least * g->threads / (double)ops : NAN;
    idb_hist_add(result->hist, all);
    idb_hist_free(all);
    return NULL;
}

static const char *perform_client(void *ctx, idb_plan *plan) {
    const story *s = ctx;
    char uri[IDB_URI_BYTES];
    gang g = {.plan = plan, .threads = s->threads};
    idem_info info = {.size = sizeof info, .shards = 1};
    const char *failed = NULL;
    g.callers = calloc(s->threads, sizeof *g.callers);
    idb_uri_write(uri, &plan->server, NULL);
    if (!g.callers)
        return "out of memory";
    if (!s->echo && (idem_client_open(uri, &g.client, NULL) != 0 ||
                     idem_client_info(g.client, 0, &info, NULL) != 0))
        failed = "the client cannot connect";
    if (!failed)
        failed = gang_run(&g);
    if (!failed)
        failed = gang_report(&g, s, info.shards);
    for (uint32_t i = 0; i < s->threads; i++)
        idb_hist_free(g.callers[i].hist);
    idem_client_close(g.client);
    free(g.callers);
    return failed;
}

int idb_scenario_client(const idb_options *options, idb_report *report) {
    idb_spec echo = {.label = "echo", .target = &idb_target_echo, .threads = 1};
    story stories[] = {{report, "echo 1 thread", 1, true},
                       {report, "client 1 thread", 1, false},
                       {report, "client 64 threads", SHARERS, false}};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->ratio_column = P50;
    report->text = "Blocking calls. Least/mean: the share of the thread that "
                   "got least, of an even share.";
    if (!options->spawn || options->specs[0].target->handshake == NULL) {
        fprintf(stderr, "idembench: this scenario wants --spawn and --target "
                        "idem\n");
        return IDB_EXIT_USAGE;
    }
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t i = 0; i < sizeof stories / sizeof *stories; i++) {
            const idb_spec *spec = stories[i].echo ? &echo : &options->specs[0];
            if (idb_with_server(options, spec, perform_client, &stories[i]) !=
                0)
                return 1;
        }
    return 0;
}
