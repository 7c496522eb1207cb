/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c -- the run around the load threads: start, warm up, measure, stop.
 *
 * The main thread only sleeps, flips the phase and reads what the system
 * knows of the server; it takes no part in the load. */
#include "bench/engine.h"
#include "bench/interrupt.h"
#include "bench/proc.h"
#include "bench/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_NS   (250 * IDB_NS_PER_MS)
#define EVENT_LOOK_NS (2 * IDB_NS_PER_MS)

const char *idb_text_kept(const char *failed) {
    static char kept[IDP_TLS_WHY_BYTES];
    if (failed && failed != kept)
        snprintf(kept, sizeof kept, "%s", failed);
    return failed ? kept : NULL;
}

static const char *codec_init(idb_codec *codec, const idb_plan *plan) {
    *codec = (idb_codec){.work = plan->work,
                         .shards = 1,
                         .deadline_ns = plan->deadline_ns,
                         .slots = plan->pipeline};
    if (!plan->target->prepare)
        return NULL;
    idb_wire wire;
    const char *failed = idb_wire_open(&wire, &plan->server);
    if (!failed)
        failed = plan->target->prepare(codec, &wire);
    failed = idb_text_kept(failed);
    idb_wire_close(&wire);
    return failed;
}

/* Whether each connection's shard has a key among the pool's: else its jobs
 * would never come. */
static bool pool_has_all(const idb_codec *codec, const idb_plan *plan,
                         uint64_t pool) {
    bool found[IDP_SHARDS_MAX] = {false};
    uint32_t shards =
        codec->shards < plan->connections ? codec->shards : plan->connections;
    if (codec->shards > IDP_SHARDS_MAX)
        return false;
    for (uint64_t i = 0; i < plan->spread->n && shards > 0; i++)
        for (uint32_t shard = 0; shard < codec->shards; shard++)
            if (shard < plan->connections && !found[shard] &&
                plan->target->belongs(codec, pool | i, shard)) {
                found[shard] = true;
                shards--;
            }
    return shards == 0;
}

static const char *pools_fit(const idb_codec *codec, const idb_plan *plan) {
    static char why[160];
    if (!plan->target->belongs || codec->shards <= 1 || plan->jobs > 0)
        return NULL;
    for (int job = 0; job < IDB_JOB_COUNT; job++) {
        uint64_t pool = idb_pool_of((idb_job)job);
        if (!pool || !plan->mix.weight[job] || pool_has_all(codec, plan, pool))
            continue;
        snprintf(why, sizeof why,
                 "--pool %lu is too small: the server has %u shards, and not "
                 "each has a key of the pool; take a larger one, or "
                 "--shard-aware off",
                 (unsigned long)plan->spread->n, codec->shards);
        return why;
    }
    return NULL;
}

typedef struct engine {
    const idb_plan *plan;
    idb_control control;
    idb_codec codec;
    idb_worker *workers;
    uint32_t started;
    uint64_t shown_ns, shown_ops;
} engine;

static uint64_t ops_all(const engine *e) {
    uint64_t ops = 0;
    for (uint32_t i = 0; i < e->started; i++)
        ops +=
            atomic_load_explicit(&e->workers[i].ops_all, memory_order_relaxed);
    return ops;
}

static void show(engine *e, const char *phase) {
    uint64_t now_ns = idb_now_ns(), ops = ops_all(e);
    if (e->plan->progress && e->shown_ns)
        e->plan->progress(e->plan->progress_ctx, phase,
                          (double)(ops - e->shown_ops) * 1e9 /
                              (double)(now_ns - e->shown_ns + 1));
    e->shown_ns = now_ns;
    e->shown_ops = ops;
}

/* Sleeps until then, showing progress; wakes early when no thread is left, or
 * the user has had enough. */
static void sleep_until(engine *e, uint64_t until_ns, const char *phase) {
    while (atomic_load(&e->control.finished) < e->started &&
           !idb_interrupted()) {
        uint64_t now_ns = idb_now_ns();
        if (now_ns >= until_ns)
            return;
        uint64_t wake_ns = now_ns + PROGRESS_NS;
        idb_sleep_until_ns(wake_ns < until_ns ? wake_ns : until_ns);
        show(e, phase);
    }
}

static bool has_measured(const engine *e) {
    for (uint32_t i = 0; i < e->started; i++)
        if (atomic_load_explicit(&e->workers[i].ops, memory_order_relaxed))
            return true;
    return false;
}

/* Sleeps until the event is over; one that took no time at all ends with the
 * first operation that was measured. */
static void sleep_through(engine *e, const idb_event *event) {
    uint64_t now_ns = idb_now_ns(), until_ns = now_ns + IDB_EVENT_NS;
    uint64_t show_ns = now_ns + PROGRESS_NS;
    event->begin(event->ctx);
    while (atomic_load(&e->control.finished) < e->started &&
           now_ns < until_ns &&
           !(event->is_over(event->ctx) && has_measured(e))) {
        idb_sleep_until_ns(now_ns + EVENT_LOOK_NS);
        now_ns = idb_now_ns();
        if (now_ns < show_ns)
            continue;
        show(e, "measure");
        show_ns = now_ns + PROGRESS_NS;
    }
}

static uint64_t client_cpu_ns(const engine *e) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < e->started; i++) {
        clockid_t clock;
        if (pthread_getcpuclockid(e->workers[i].thread, &clock) == 0)
            sum += idb_clock_ns_of(clock);
    }
    return sum;
}

static bool workers_start(engine *e) {
    for (uint32_t i = 0; i < e->plan->threads; i++) {
        idb_worker *worker = &e->workers[i];
        if (pthread_create(&worker->thread, NULL, idb_worker_main, worker))
            return false;
        worker->started = true;
        e->started++;
    }
    while (atomic_load(&e->control.ready) < e->started)
        usleep(200);
    return true;
}

/* How much of the time threads were ready to run, and did not. */
static double waited(pid_t pid, uint64_t before_ns, double seconds) {
    uint64_t now_ns = idb_proc_waited_ns(pid);
    return now_ns > before_ns ? (double)(now_ns - before_ns) / 1e9 / seconds
                              : 0;
}

/* How much of all cores' time a hypervisor kept. */
static double stolen(uint64_t before_ns, double seconds) {
    uint64_t now_ns = idb_proc_stolen_ns();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return now_ns > before_ns
               ? (double)(now_ns - before_ns) / 1e9 / seconds / (double)cores
               : 0;
}

static uint64_t replicas_cpu_ns(const idb_plan *plan) {
    uint64_t sum_ns = 0;
    for (int i = 0; i < IDB_REPLICAS_MAX; i++)
        sum_ns += idb_proc_cpu_ns(plan->replica_pids[i]);
    return sum_ns;
}

static void measure_sample(engine *e, idb_sample *sample) {
    const idb_plan *plan = e->plan;
    idb_troubles *troubles = &sample->troubles;
    sleep_until(e, idb_now_ns() + plan->ramp_ns + plan->warmup_ns, "warm-up");
    uint64_t start_ns = idb_now_ns();
    uint64_t cpu_ns = idb_proc_cpu_ns(plan->server.pid);
    uint64_t replicas_ns = replicas_cpu_ns(plan);
    uint64_t own_ns = client_cpu_ns(e);
    uint64_t server_waited_ns = idb_proc_waited_ns(plan->server.pid);
    uint64_t client_waited_ns = idb_proc_waited_ns(getpid());
    uint64_t stolen_ns = idb_proc_stolen_ns();
    atomic_store(&e->control.phase, IDB_PHASE_MEASURE);
    if (plan->event)
        sleep_through(e, plan->event);
    else
        sleep_until(e, start_ns + plan->duration_ns, "measure");
    /* Before the workers are stopped: the clock of a thread that is gone
     * stands at nothing. */
    sample->client_cpu_ns = client_cpu_ns(e) - own_ns;
    sample->server_cpu_ns = idb_proc_cpu_ns(plan->server.pid) - cpu_ns;
    sample->replica_cpu_ns = replicas_cpu_ns(plan) - replicas_ns;
    sample->seconds = (double)(idb_now_ns() - start_ns) / 1e9;
    troubles->server_seen = plan->server.pid > 0;
    troubles->server_waited =
        waited(plan->server.pid, server_waited_ns, sample->seconds);
    troubles->client_waited =
        waited(getpid(), client_waited_ns, sample->seconds);
    troubles->stolen = stolen(stolen_ns, sample->seconds);
    troubles->client_busy =
        (double)sample->client_cpu_ns / 1e9 / sample->seconds / plan->threads;
    atomic_store(&e->control.phase, IDB_PHASE_STOP);
}

static void run_jobs(engine *e, idb_sample *sample) {
    uint64_t start_ns = idb_now_ns();
    while (atomic_load(&e->control.finished) < e->started && !idb_interrupted())
        sleep_until(e, idb_now_ns() + 20 * IDB_NS_PER_MS, "fill");
    sample->seconds = (double)(idb_now_ns() - start_ns) / 1e9;
}

static const char *collect_threads(engine *e, idb_sample *sample) {
    const char *failed = NULL;
    for (uint32_t i = 0; i < e->started; i++) {
        const idb_worker *worker = &e->workers[i];
        sample->ops += worker->ops;
        sample->jobs += worker->jobs;
        sample->keys_new += worker->keys_new;
        idb_troubles_add(&sample->troubles, &worker->troubles);
        idb_hist_add(sample->hist, worker->hist);
        if (worker->failed)
            failed = worker->failed;
    }
    return idb_text_kept(failed);
}

static const char *run_threads(engine *e, idb_sample *sample) {
    const idb_plan *plan = e->plan;
    const char *failed = codec_init(&e->codec, plan);
    if (!failed)
        failed = pools_fit(&e->codec, plan);
    if (failed)
        return failed;
    e->control = (idb_control){
        .plan = plan, .codec = &e->codec, .start_ns = idb_now_ns()};
    bool ok = true;
    for (uint32_t i = 0; i < plan->threads; i++)
        ok = idb_worker_init(&e->workers[i], &e->control, i) && ok;
    ok = ok && workers_start(e);
    if (!ok)
        failed = "cannot start the load threads";
    else if (plan->jobs > 0)
        run_jobs(e, sample);
    else
        measure_sample(e, sample);
    atomic_store(&e->control.phase, IDB_PHASE_STOP);
    for (uint32_t i = 0; i < plan->threads; i++)
        if (e->workers[i].started)
            pthread_join(e->workers[i].thread, NULL);
    const char *lost = collect_threads(e, sample);
    return failed ? failed : lost;
}

const char *idb_engine_run(const idb_plan *plan, idb_sample *sample) {
    *sample = (idb_sample){.hist = idb_hist_new()};
    engine e = {.plan = plan};
    e.workers = calloc(plan->threads, sizeof *e.workers);
    const char *failed = "out of memory";
    if (sample->hist && e.workers) {
        sample->rss_before = idb_proc_rss_bytes(plan->server.pid);
        failed = run_threads(&e, sample);
        sample->rss_after = idb_proc_rss_bytes(plan->server.pid);
        for (uint32_t i = 0; i < plan->threads; i++)
            idb_worker_fini(&e.workers[i]);
    }
    free(e.workers);
    return failed;
}

void idb_sample_fini(idb_sample *sample) {
    idb_hist_free(sample->hist);
    sample->hist = NULL;
}
