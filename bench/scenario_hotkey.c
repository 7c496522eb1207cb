/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_hotkey.c -- one key that everybody waits for, each on a connection
 * of its own: how soon the first and the last of them hear of its result.
 *
 * One thread reads all answers, on the generator's core: what it takes for
 * that is in the last figure, and none of it in the server's CPU. */
#include "bench/admin.h"
#include "bench/proc.h"
#include "bench/scenario.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WAKES      5
#define WAIT_MS    IDP_WAIT_MS_MAX
#define LEASE_MS   (10u * 60 * 1000)
#define EVENTS_MAX 64
#define LOOK_NS    (5 * IDB_NS_PER_MS)
#define PARK_NS    (50 * IDB_NS_PER_S) /* all of them wait by then */
#define HEAR_MS    60000
#define IN_BYTES   (64u * 1024)

enum { WAITERS, FIRST, HALF, LAST, CPU, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [WAITERS] = {"waiters", "waiters", 0},
    [FIRST] = {"first_ms", "first ms", 2},
    [HALF] = {"half_ms", "half ms", 2},
    [LAST] = {"last_ms", "last ms", 2},
    [CPU] = {"server_cpu_us", "server us/waiter", 2},
};

typedef struct crowd {
    const idb_plan *plan;
    uint64_t waiters;
    idb_codec codec;
    idb_wire holder;
    idb_wire *wires; /* of those who wait */
    uint64_t opened;
    int epoll;
    uint8_t *in;
    double seen[COLUMNS][WAKES];
} crowd;

/* What a hot key's request needs, in room of its own. */
typedef struct asking {
    uint8_t key[IDB_KEY_BYTES_MAX];
    uint8_t fingerprint[IDB_FINGERPRINT_BYTES_MAX];
    idp_request request;
} asking;

static void acquire_make(const crowd *c, uint64_t number, uint32_t wait_ms,
                         asking *a) {
    const idb_work *work = &c->plan->work;
    idb_key_write(work, number, a->key);
    idb_fingerprint_write(work, number, false, a->fingerprint);
    a->request = (idp_request){
        .method = IDP_ACQUIRE,
        .ns = {a->key, 0},
        .key = {a->key, work->key_bytes},
        .fingerprint = {a->fingerprint, work->fingerprint_bytes},
        .lease_ms = LEASE_MS,
        .ttl_ms = LEASE_MS,
        .wait_ms = wait_ms,
    };
}

static const char *request_send(idb_wire *wire, const idp_request *request) {
    const size_t cap = 2048 + request->result.len;
    uint8_t *bytes = malloc(cap);
    size_t len = bytes ? idp_request_write(bytes, cap, request) : 0;
    bool sent = len > 0 && idb_wire_send(wire, bytes, len);
    free(bytes);
    return sent ? NULL : "cannot ask for the key";
}

/* Blocks until a whole reply is there; its slices stand in the crowd's room. */
static const char *answer_read(const crowd *c, idb_wire *wire,
                               idp_method method, idp_answer *answer) {
    const size_t cap = IN_BYTES + c->plan->work.result_bytes;
    size_t have = 0, frame;
    idp_reply reply;
    for (;;) {
        ssize_t got = idb_wire_recv(wire, c->in + have, cap - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return "a connection was lost";
        have += (size_t)got;
        idp_reply_read_status status =
            idp_reply_open(c->in, have, cap, &reply, &frame);
        if (status == IDP_REPLY_PARTIAL && have < cap)
            continue;
        return status == IDP_REPLY_WHOLE && !reply.is_error &&
                       idp_answer_read(method, reply.result, answer)
                   ? NULL
                   : "the key was refused";
    }
}

static const char *conn_open(const crowd *c, idb_wire *wire) {
    const idb_target *target = c->plan->target;
    const char *failed = idb_wire_open(wire, &c->plan->server);
    if (!failed && target->handshake)
        failed = target->handshake(&c->codec, wire, 0);
    return failed;
}

/* Over a connection of its own: one that has asked something moves no more. */
static const char *shards_learn(crowd *c) {
    const idb_target *target = c->plan->target;
    idb_wire wire;
    if (!target->prepare)
        return NULL;
    const char *failed = idb_wire_open(&wire, &c->plan->server);
    if (!failed)
        failed = target->prepare(&c->codec, &wire);
    failed = idb_text_kept(failed);
    idb_wire_close(&wire);
    return failed;
}

static const char *crowd_open(crowd *c) {
    const char *failed = shards_learn(c);
    if (!failed)
        failed = conn_open(c, &c->holder);
    while (!failed && c->opened < c->waiters) {
        idb_wire *wire = &c->wires[c->opened++];
        struct epoll_event event = {.events = EPOLLIN | EPOLLET,
                                    .data.ptr = wire};
        failed = conn_open(c, wire);
        if (!failed &&
            epoll_ctl(c->epoll, EPOLL_CTL_ADD, wire->fd, &event) != 0)
            failed = "epoll_ctl failed";
    }
    return failed;
}

/* A key of the shard that all connections are at. */
static uint64_t next_key(const crowd *c, uint64_t number) {
    const idb_target *target = c->plan->target;
    do
        number++;
    while (target->belongs && c->codec.shards > 1 &&
           !target->belongs(&c->codec, number, 0));
    return number;
}

static const char *all_wait(const crowd *c, uint64_t number) {
    const uint64_t until_ns = idb_now_ns() + PARK_NS;
    const char *failed = NULL;
    asking a;
    acquire_make(c, number, WAIT_MS, &a);
    for (uint64_t i = 0; i < c->waiters && !failed; i++)
        failed = request_send(&c->wires[i], &a.request);
    while (!failed &&
           idb_admin_stat(&c->plan->server, "waiters") < c->waiters) {
        if (idb_now_ns() > until_ns)
            return "not all of them wait: the first have waited too long";
        idb_sleep_until_ns(idb_now_ns() + LOOK_NS);
    }
    return failed;
}

static const char *result_give(const crowd *c, uint64_t number,
                               const idp_token *token) {
    const idb_work *work = &c->plan->work;
    uint8_t *result = malloc(work->result_bytes + 8u);
    asking a;
    if (!result)
        return "out of memory";
    acquire_make(c, number, 0, &a);
    idb_result_write(work, number, result);
    const idp_request request = {.method = IDP_COMPLETE,
                                 .ns = a.request.ns,
                                 .key = a.request.key,
                                 .token = *token,
                                 .result = {result, work->result_bytes},
                                 .ttl_ms = LEASE_MS};
    idb_wire holder = c->holder;
    const char *failed = request_send(&holder, &request);
    free(result);
    return failed;
}

/* at_ns: when each of them heard, in the order in which they did. */
static const char *all_hear(const crowd *c, uint64_t *at_ns) {
    struct epoll_event events[EVENTS_MAX];
    uint64_t heard = 0;
    while (heard < c->waiters) {
        int ready = epoll_wait(c->epoll, events, EVENTS_MAX, HEAR_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return "a waiter heard nothing for a minute";
        for (int i = 0; i < ready; i++) {
            idp_answer answer;
            const char *failed =
                answer_read(c, events[i].data.ptr, IDP_ACQUIRE, &answer);
            if (failed)
                return failed;
            if (answer.outcome != IDP_OUTCOME_REPLAY ||
                answer.result.len != c->plan->work.result_bytes)
                return "a waiter heard something else than the result";
            at_ns[heard++] = idb_now_ns();
        }
    }
    return NULL;
}

static const char *wake_once(crowd *c, uint32_t wake, uint64_t number,
                             uint64_t *at_ns) {
    const pid_t pid = c->plan->server.pid;
    idp_answer answer = {0};
    asking a;
    acquire_make(c, number, 0, &a);
    const char *failed = request_send(&c->holder, &a.request);
    if (!failed)
        failed = answer_read(c, &c->holder, IDP_ACQUIRE, &answer);
    if (!failed && answer.outcome != IDP_OUTCOME_ACQUIRED)
        failed = "somebody else uses these keys";
    idp_token token = {0};
    if (!failed) {
        token = answer.token;
        failed = all_wait(c, number);
    }
    const uint64_t cpu_ns = idb_proc_cpu_ns(pid), start_ns = idb_now_ns();
    if (!failed)
        failed = result_give(c, number, &token);
    if (!failed)
        failed = all_hear(c, at_ns);
    if (!failed)
        failed = answer_read(c, &c->holder, IDP_COMPLETE, &answer);
    if (failed)
        return failed;
    const uint64_t n = c->waiters, half = n / 2;
    c->seen[FIRST][wake] = (double)(at_ns[0] - start_ns) / 1e6;
    c->seen[HALF][wake] = (double)(at_ns[half] - start_ns) / 1e6;
    c->seen[LAST][wake] = (double)(at_ns[n - 1] - start_ns) / 1e6;
    c->seen[CPU][wake] =
        (double)(idb_proc_cpu_ns(pid) - cpu_ns) / 1e3 / (double)n;
    return NULL;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *wake_often(crowd *c) {
    uint64_t *at_ns = calloc(c->waiters, sizeof *at_ns);
    const char *failed = at_ns ? crowd_open(c) : "out of memory";
    uint64_t number = IDB_SPACE_NEW;
    for (uint32_t wake = 0; wake < WAKES && !failed; wake++) {
        number = next_key(c, number);
        failed = wake_once(c, wake, number, at_ns);
    }
    free(at_ns);
    return failed;
}

static const char *crowd_run(const idb_turn *turn, crowd *c) {
    c->wires = calloc(c->waiters, sizeof *c->wires);
    c->in = malloc(IN_BYTES + c->plan->work.result_bytes);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *failed =
        c->wires && c->in && c->epoll >= 0 ? wake_often(c) : "out of memory";
    double *v = failed ? NULL : idb_turn_values(turn, "");
    if (!failed && !v)
        failed = "no room in the report";
    for (int column = FIRST; v && column < COLUMNS; column++) {
        qsort(c->seen[column], WAKES, sizeof(double), ascending);
        v[column] = c->seen[column][WAKES / 2];
    }
    if (v)
        v[WAITERS] = (double)c->waiters;
    failed = idb_text_kept(failed);
    for (uint64_t i = 0; i < c->opened; i++)
        idb_wire_close(&c->wires[i]);
    idb_wire_close(&c->holder);
    if (c->epoll >= 0)
        close(c->epoll);
    free(c->wires);
    free(c->in);
    return failed;
}

static const char *crowd_waits(void *ctx, idb_plan *plan) {
    const idb_turn *turn = ctx;
    crowd c = {.plan = plan,
               .waiters = turn->records,
               .codec = {.work = plan->work, .shards = 1},
               .holder.fd = -1,
               .epoll = -1};
    cpu_set_t before;
    bool known = sched_getaffinity(0, sizeof before, &before) == 0;
    if (plan->cpus)
        sched_setaffinity(0, sizeof *plan->cpus, plan->cpus);
    const char *failed = crowd_run(turn, &c);
    if (known)
        sched_setaffinity(0, sizeof before, &before);
    return failed;
}

static int run_hotkey(const idb_turn *turn) {
    idb_turn own = *turn;
    idb_options options = *turn->options;
    if (turn->records > IDB_CONNECTIONS_MAX - 100) {
        fprintf(stderr, "idembench: --records: a waiter is a connection, of "
                        "which there are 19 900 at most\n");
        return 1;
    }
    /* 1,024 wait for a key by default. */
    idb_spec spec = *turn->spec;
    if (spec.args_count < IDB_SPECS_MAX)
        spec.args[spec.args_count++] = "--max-waiters-per-key 20000";
    options.connections = (uint32_t)turn->records;
    return idb_with_server(&options, &spec, crowd_waits, &own);
}

int idb_scenario_hotkey(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {50, 5000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text =
        "So many wait for one key, each on a connection of its own, when its "
        "result comes: the time\nfrom sending that until the first, half and "
        "the last of them have read it; medians of 5 keys.";
    if (!idb_is_own(options))
        return IDB_EXIT_USAGE;
    return idb_turns(options, report, own, 2, run_hotkey);
}
