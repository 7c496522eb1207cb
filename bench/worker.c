/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c -- the loop of one load thread, closed or open.
 *
 * Closed: every slot always has a request under way. Open: jobs start when
 * their time has come, and their latency counts from that time, so a stalled
 * server can't hide the jobs that waited for it. */
#include "bench/worker.h"
#include "bench/interrupt.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVENTS_MAX    256
#define IN_BYTES_MIN  (256u * 1024)
#define LOOK_AGAIN_NS (10 * IDB_NS_PER_MS) /* at the control */
#define SPIN_NS       20000 /* a planned time this near is not slept for */
#define MISSED_NS     IDB_NS_PER_MS

bool idb_worker_init(idb_worker *worker, idb_control *control,
                     uint32_t number) {
    const idb_plan *plan = control->plan;
    uint32_t each = plan->connections / plan->threads;
    uint32_t more = plan->connections % plan->threads;
    size_t request = plan->target->request_bytes_max(&plan->work);
    *worker = (idb_worker){
        .control = control,
        .number = number,
        .epoll = -1,
        .conn_count = each + (number < more),
        .conn_first = each * number + (number < more ? number : more),
        .out_cap = request * plan->pipeline + IDB_END_BYTES_MAX,
        .in_cap = IN_BYTES_MIN + 2 * request,
    };
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->conns = calloc(worker->conn_count, sizeof *worker->conns);
    worker->in = malloc(worker->in_cap);
    worker->out = malloc(worker->out_cap);
    worker->hist = idb_hist_new();
    if (worker->epoll < 0 || !worker->conns || !worker->in || !worker->out ||
        !worker->hist)
        return false;
    if (plan->server.tls) {
        worker->sealed_cap = idb_sealed_max(worker->out_cap);
        worker->sealed = malloc(worker->sealed_cap);
        if (!worker->sealed)
            return false;
    }
    for (uint32_t i = 0; i < worker->conn_count; i++)
        if (!idb_conn_init(&worker->conns[i], plan))
            return false;
    idb_picker *picker = &worker->picker;
    idb_picker_init(picker, plan->work.seed * 1000 + number, &plan->mix,
                    plan->spread);
    /* Thread t's new keys are its own stretch of the numbers. */
    picker->next_new = plan->first_number + ((uint64_t)number << 40);
    if (plan->jobs > 0) {
        uint64_t from = plan->jobs * number / plan->threads;
        picker->next_new = plan->first_number + from;
        picker->left = plan->jobs * (number + 1) / plan->threads - from;
    }
    return true;
}

void idb_worker_fini(idb_worker *worker) {
    for (uint32_t i = 0; worker->conns && i < worker->conn_count; i++)
        idb_conn_fini(&worker->conns[i]);
    if (worker->epoll >= 0)
        close(worker->epoll);
    free(worker->conns);
    free(worker->in);
    free(worker->out);
    free(worker->sealed);
    idb_hist_free(worker->hist);
}

/* Fills every slot of a fresh connection: the closed loop's first breath. */
static void conn_fill(idb_worker *worker, idb_conn *conn) {
    uint64_t now_ns = idb_now_ns();
    size_t len = 0;
    while (conn->idle_count > 0) {
        size_t wrote = idb_conn_start(worker, conn, now_ns, worker->out + len);
        if (wrote == 0)
            break;
        len += wrote;
    }
    if (len > 0)
        idb_conn_send(worker, conn, len);
}

/* Opens the connections whose time in the ramp has come. */
static bool conns_open(idb_worker *worker, uint64_t now_ns) {
    const idb_plan *plan = worker->control->plan;
    uint64_t start_ns = worker->control->start_ns;
    while (worker->conn_open < worker->conn_count) {
        uint64_t due_ns =
            start_ns + plan->ramp_ns * worker->conn_open / worker->conn_count;
        if (plan->rate <= 0 && due_ns > now_ns)
            return true;
        idb_conn *conn = &worker->conns[worker->conn_open];
        worker->failed =
            idb_conn_open(worker, conn, worker->conn_first + worker->conn_open);
        if (worker->failed)
            return false;
        worker->conn_open++;
        if (plan->rate <= 0)
            conn_fill(worker, conn);
    }
    return true;
}

/* Poisson arrivals; during the ramp they grow from rare to the full rate. */
static void plan_next(idb_worker *worker) {
    const idb_plan *plan = worker->control->plan;
    double gap = -log1p(-idb_rng_unit(&worker->picker.rng)) * worker->gap_ns;
    uint64_t since = worker->due_ns - worker->control->start_ns;
    if (since < plan->ramp_ns) {
        double part = (double)since / (double)plan->ramp_ns;
        gap /= part > 0.05 ? part : 0.05;
    }
    worker->due_ns += (uint64_t)gap;
}

static idb_conn *conn_with_room(idb_worker *worker) {
    for (uint32_t i = 0; i < worker->conn_count; i++) {
        uint32_t turn = worker->conn_turn;
        worker->conn_turn = turn + 1 < worker->conn_count ? turn + 1 : 0;
        idb_conn *conn = &worker->conns[turn];
        if (conn->wire.fd >= 0 && conn->idle_count > 0)
            return conn;
    }
    return NULL;
}

static void count_due(idb_worker *worker, uint64_t late_ns) {
    idb_troubles *troubles = &worker->troubles;
    troubles->due++;
    troubles->missed += late_ns > MISSED_NS;
    if (late_ns > troubles->late_max_ns)
        troubles->late_max_ns = late_ns;
}

static void jobs_start(idb_worker *worker, uint64_t now_ns) {
    while (worker->due_ns <= now_ns) {
        idb_conn *conn = conn_with_room(worker);
        if (!conn)
            return; /* it waits, and its latency with it */
        size_t len = idb_conn_start(worker, conn, worker->due_ns, worker->out);
        if (len == 0)
            return;
        if (!idb_conn_send(worker, conn, len))
            return;
        if (worker->phase == IDB_PHASE_MEASURE)
            count_due(worker, now_ns - worker->due_ns);
        plan_next(worker);
        now_ns = idb_now_ns();
    }
}

static int wait_ready(idb_worker *worker, struct epoll_event *events) {
    const idb_plan *plan = worker->control->plan;
    uint64_t ns = LOOK_AGAIN_NS;
    if (plan->rate > 0 && worker->phase != IDB_PHASE_STOP) {
        uint64_t now_ns = idb_now_ns();
        uint64_t left = worker->due_ns > now_ns ? worker->due_ns - now_ns : 0;
        ns = left < SPIN_NS            ? 0
             : left - SPIN_NS / 2 < ns ? left - SPIN_NS / 2
                                       : ns;
    }
    struct timespec timeout = {.tv_nsec = (long)ns};
    return epoll_pwait2(worker->epoll, events, EVENTS_MAX, &timeout, NULL);
}

static bool all_lost(const idb_worker *worker) {
    return worker->troubles.broken > 0 &&
           worker->troubles.broken == worker->conn_open;
}

static bool is_idle(const idb_worker *worker) {
    for (uint32_t i = 0; i < worker->conn_count; i++)
        if (worker->conns[i].wire.fd >= 0 && worker->conns[i].busy > 0)
            return false;
    return true;
}

static bool jobs_done(const idb_worker *worker) {
    return worker->picker.left == 0 && is_idle(worker);
}

static bool events_take(idb_worker *worker) {
    struct epoll_event events[EVENTS_MAX];
    int n = wait_ready(worker, events);
    for (int i = 0; i < n; i++)
        idb_conn_ready(worker, events[i].data.ptr, events[i].events);
    if (n < 0 && errno != EINTR)
        worker->failed = "epoll_wait failed";
    return !worker->failed;
}

/* Jobs whose time had come, and for whom no place was free: they have waited
 * so long, and would have longer. */
static void count_overdue(idb_worker *worker, uint64_t end_ns) {
    for (; worker->due_ns <= end_ns; plan_next(worker)) {
        worker->troubles.overdue++;
        count_due(worker, end_ns - worker->due_ns);
        idb_hist_record(worker->hist, end_ns - worker->due_ns);
    }
}

static void count_unanswered(idb_worker *worker, const idb_conn *conn,
                             uint64_t now_ns) {
    idb_troubles *troubles = &worker->troubles;
    for (uint32_t i = 0; i < worker->control->plan->pipeline; i++) {
        if (conn->wire.fd < 0 || !conn->slots[i].busy)
            continue;
        uint64_t waited_ns = now_ns - conn->slots[i].since_ns;
        troubles->unanswered++;
        if (waited_ns > troubles->waited_max_ns)
            troubles->waited_max_ns = waited_ns;
        idb_hist_record(worker->hist, waited_ns);
    }
}

/* The time measured is over. What is under way gets its answer, or is told. */
static void end_worker(idb_worker *worker) {
    uint64_t now_ns = idb_now_ns(), until_ns = now_ns + IDB_PATIENCE_NS;
    if (worker->phase != IDB_PHASE_MEASURE)
        return;
    if (worker->control->plan->rate > 0) {
        jobs_start(worker, now_ns);
        count_overdue(worker, now_ns);
    }
    worker->phase = IDB_PHASE_STOP;
    while (!is_idle(worker) && idb_now_ns() < until_ns && !idb_interrupted() &&
           events_take(worker))
        continue;
    now_ns = idb_now_ns();
    for (uint32_t i = 0; i < worker->conn_count; i++)
        count_unanswered(worker, &worker->conns[i], now_ns);
}

static void loop(idb_worker *worker) {
    idb_control *control = worker->control;
    const bool open_loop = control->plan->rate > 0;
    for (;;) {
        int phase = atomic_load_explicit(&control->phase, memory_order_acquire);
        if (all_lost(worker) || jobs_done(worker))
            return;
        if (phase == IDB_PHASE_STOP) {
            end_worker(worker);
            return;
        }
        worker->phase = (idb_phase)phase;
        if (worker->conn_open < worker->conn_count &&
            !conns_open(worker, idb_now_ns()))
            return;
        if (open_loop)
            jobs_start(worker, idb_now_ns());
        if (!events_take(worker))
            return;
    }
}

void *idb_worker_main(void *arg) {
    idb_worker *worker = arg;
    idb_control *control = worker->control;
    const idb_plan *plan = control->plan;
    if (plan->cpus)
        sched_setaffinity(0, sizeof *plan->cpus, plan->cpus);
    prctl(PR_SET_TIMERSLACK, 1000ul);
    worker->due_ns = control->start_ns;
    worker->gap_ns =
        plan->rate > 0 ? (double)IDB_NS_PER_S * plan->threads / plan->rate : 0;
    if (plan->rate > 0)
        plan_next(worker);
    bool opened = conns_open(worker, idb_now_ns());
    atomic_fetch_add(&control->ready, 1);
    if (opened)
        loop(worker);
    if (!worker->failed && all_lost(worker))
        worker->failed =
            worker->why[0] ? worker->why : "the server closed every connection";
    atomic_fetch_add(&control->finished, 1);
    return NULL;
}
