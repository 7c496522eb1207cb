/* SPDX-License-Identifier: Apache-2.0 */
/* background.c -- what an open load and a ping to each loop see of something
 * that happens to the server meanwhile. */
#include "bench/load.h"
#include "bench/probe.h"

#include <math.h>

static double ops_per_job(const idb_plan *plan) {
    double ops = 0, jobs = 0;
    for (int i = 0; i < IDB_JOB_COUNT; i++) {
        jobs += plan->mix.weight[i];
        ops += (double)plan->mix.weight[i] * plan->target->steps[i];
    }
    return ops / jobs;
}

/* Pings that came before the measuring are not counted. */
typedef struct watched {
    const idb_event *event;
    idb_probe *probe;
    uint64_t until_ns;
    idb_event watch; /* of its own, for the plan */
} watched;

static void watched_begin(void *ctx) {
    watched *w = ctx;
    idb_probe_take(w->probe);
    if (w->event)
        w->event->begin(w->event->ctx);
}

static bool watched_is_over(void *ctx) {
    const watched *w = ctx;
    if (!idb_probe_has_seen(w->probe))
        return false;
    return w->event ? w->event->is_over(w->event->ctx)
                    : idb_now_ns() >= w->until_ns;
}

static const char *run_background(idb_plan *plan, watched *w, idb_seen *seen) {
    char said[IDB_NOTE_BYTES];
    idb_sample sample;
    w->watch = (idb_event){watched_begin, watched_is_over, w};
    w->until_ns =
        idb_now_ns() + plan->ramp_ns + plan->warmup_ns + plan->duration_ns;
    plan->event = &w->watch;
    const char *failed = idb_engine_run(plan, &sample);
    const idb_pings pings = idb_probe_take(w->probe);
    idb_troubles_tell(&sample.troubles, said, sizeof said);
    if (!failed && strchr(said, '!'))
        fprintf(stderr, "idembench: %s\n", said);
    if (!failed && (!sample.hist->total || !pings.count))
        failed = "it was over before anything was measured";
    if (!failed)
        *seen = (idb_seen){
            .p99_us = (double)idb_hist_at(sample.hist, 0.99) / 1e3,
            .worst_ms = (double)pings.slowest_ns / 1e6,
            .slow_permille = 1000.0 * (double)pings.slow / (double)pings.count,
            .seconds = sample.seconds,
            .server_cpu_us =
                (double)sample.server_cpu_ns / (double)sample.ops / 1e3,
        };
    idb_sample_fini(&sample);
    return failed;
}

/* An open loop on a server that is there, in its own stretch of new keys; with
 * event NULL for the plan's duration, else until it is over. */
static const char *load_beside(const idb_plan *like, double default_ops,
                               uint32_t part, const idb_event *event,
                               idb_seen *seen) {
    idb_plan plan = *like;
    watched w = {.event = event};
    if (plan.rate <= 0)
        plan.rate = default_ops / ops_per_job(&plan);
    if (plan.pipeline < 64)
        plan.pipeline = 64;
    plan.first_number = IDB_SPACE_NEW | (uint64_t)(part + 1) << 46;
    w.probe = idb_probe_start(&plan.server, plan.cpus);
    const char *failed = w.probe ? run_background(&plan, &w, seen)
                                 : "cannot ping the server's loops";
    idb_probe_stop(w.probe);
    return failed;
}

const char *idb_under_twice(const idb_plan *like, double default_ops,
                            const idb_event *event, double *values,
                            double *seconds) {
    idb_seen before, during;
    const char *failed = load_beside(like, default_ops, 1, NULL, &before);
    if (!failed)
        failed = load_beside(like, default_ops, 2, event, &during);
    if (failed)
        return failed;
    enum { IDB_SEEN_ROWS };
    values[BASE_P99] = before.p99_us;
    values[DURING_P99] = during.p99_us;
    values[TIMES] = during.p99_us / before.p99_us;
    values[BASE_WORST] = before.worst_ms;
    values[TURN_WORST] = during.worst_ms;
    values[BASE_SLOW] = before.slow_permille;
    values[SLOW] = during.slow_permille;
    *seconds = during.seconds;
    return NULL;
}

bool idb_is_own(const idb_options *options) {
    for (uint32_t i = 0; i < options->spec_count; i++)
        if (!options->spawn ||
            strcmp(options->specs[i].target->name, "idem") != 0 ||
            options->specs[i].external.port) {
            fprintf(stderr, "idembench: this scenario wants --spawn and "
                            "targets of idem alone\n");
            return false;
        }
    return true;
}
