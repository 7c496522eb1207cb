/* SPDX-License-Identifier: Apache-2.0 */
/* load.c -- see load.h. */
#include "bench/load.h"
#include "bench/interrupt.h"

#include <math.h>
#include <sys/random.h>

/* Filling is not measured: as deep as any server takes it well. */
#define FILL_CONNECTIONS 8
#define FILL_PIPELINE    64
#define FILL_TTL_MS_MIN  (3600u * 1000)

/* Below this many keys, buffers would be counted as keys. */
#define KEYS_MIN 20000

const idb_column idb_load_columns[IDB_LOAD_COUNT] = {
#define X(name, title, digits) {#name, title, digits},
    IDB_FIGURES(X)
#undef X
};

static double at_us(const idb_hist *hist, double part) {
    return hist->total ? (double)idb_hist_at(hist, part) / 1e3 : NAN;
}

static double us_per(uint64_t ns, uint64_t count) {
    return count && ns ? (double)ns / (double)count / 1e3 : NAN;
}

static double key_bytes(const idb_sample *s) {
    if (!s->rss_before || s->keys_new < KEYS_MIN)
        return NAN;
    return ((double)s->rss_after - (double)s->rss_before) / (double)s->keys_new;
}

void idb_load_add(idb_result *result, const idb_sample *s) {
    double *v = idb_result_round(result);
    if (!v)
        return;
    v[IDB_LOAD_ops_per_s] = (double)s->ops / s->seconds;
    v[IDB_LOAD_jobs_per_s] = (double)s->jobs / s->seconds;
    v[IDB_LOAD_p50_us] = at_us(s->hist, 0.5);
    v[IDB_LOAD_p90_us] = at_us(s->hist, 0.9);
    v[IDB_LOAD_p99_us] = at_us(s->hist, 0.99);
    v[IDB_LOAD_p999_us] = at_us(s->hist, 0.999);
    v[IDB_LOAD_max_us] = at_us(s->hist, 1);
    v[IDB_LOAD_server_cpu_us] = us_per(s->server_cpu_ns, s->ops);
    v[IDB_LOAD_client_cpu_us] = us_per(s->client_cpu_ns, s->ops);
    v[IDB_LOAD_client_busy] = (double)s->client_cpu_ns / 1e9 / s->seconds;
    v[IDB_LOAD_key_bytes] = key_bytes(s);
    v[IDB_LOAD_replica_cpu_us] = us_per(s->replica_cpu_ns, s->ops);
    idb_troubles_add(&result->troubles, &s->troubles);
    idb_troubles_tell(&result->troubles, result->note, sizeof result->note);
    idb_hist_add(result->hist, s->hist);
}

idb_plan idb_plan_of(const idb_options *options, const idb_spec *spec,
                     const idb_endpoint *server, const idb_spread *spread) {
    double ops = 0, jobs = 0;
    for (int i = 0; i < IDB_JOB_COUNT; i++) {
        jobs += options->mix.weight[i];
        ops += (double)options->mix.weight[i] * spec->target->steps[i];
    }
    return (idb_plan){
        .target = spec->target,
        .server = *server,
        .work = options->work,
        .mix = options->mix,
        .spread = spread,
        .connections = options->connections,
        .pipeline = options->pipeline,
        .threads = options->threads,
        .cpus = options->client_cpus.set ? &options->client_cpus.cpus : NULL,
        .rate = options->rate * jobs / ops,
        .ramp_ns = (uint64_t)(options->ramp_s * 1e9),
        .warmup_ns = (uint64_t)(options->warmup_s * 1e9),
        .duration_ns = (uint64_t)(options->duration_s * 1e9),
        .first_number = IDB_SPACE_NEW,
        .progress = options->quiet ? NULL : idb_progress_show,
    };
}

const char *idb_fill(const idb_plan *like, idb_job job, uint64_t first,
                     uint64_t count) {
    static char why[192];
    if (count == 0)
        return NULL;
    idb_plan plan = *like;
    idb_sample sample;
    memset(&plan.mix, 0, sizeof plan.mix);
    plan.mix.weight[job] = 1;
    plan.rate = 0;
    plan.ramp_ns = 0;
    plan.threads = 1;
    plan.connections = FILL_CONNECTIONS;
    plan.pipeline = FILL_PIPELINE;
    plan.jobs = count;
    plan.first_number = first;
    const char *failed = idb_engine_run(&plan, &sample);
    if (!failed && sample.troubles.unexpected > 0) {
        snprintf(why, sizeof why, "filling: %s",
                 sample.troubles.first_unexpected);
        failed = why;
    }
    idb_sample_fini(&sample);
    return failed;
}

const char *idb_fill_pools(const idb_options *options, const idb_plan *plan) {
    idb_plan like = *plan;
    const char *failed = NULL;
    const uint32_t *weight = options->mix.weight;
    if (like.work.ttl_ms < FILL_TTL_MS_MIN)
        like.work.ttl_ms = FILL_TTL_MS_MIN;
    like.work.lease_ms = FILL_TTL_MS_MIN;
    if (weight[IDB_REPLAY] || weight[IDB_MISMATCH])
        failed = idb_fill(&like, IDB_FRESH, IDB_SPACE_DONE, options->pool);
    if (!failed && weight[IDB_INFLIGHT])
        failed = idb_fill(&like, IDB_CLAIM, IDB_SPACE_HELD, options->pool);
    if (!failed)
        failed =
            idb_fill(&like, options->prefill_claims ? IDB_CLAIM : IDB_FRESH,
                     IDB_SPACE_FILL, options->prefill);
    return failed;
}

/* A server that runs already may know the keys of earlier rounds and runs. */
static uint64_t run_of_its_own(void) {
    uint64_t run;
    return getrandom(&run, sizeof run, 0) == sizeof run ? run : idb_now_ns();
}

int idb_with_server(const idb_options *options, const idb_spec *spec,
                    idb_round *round, void *ctx) {
    char why[IDP_TLS_WHY_BYTES];
    idb_server server;
    const char *failed =
        idb_server_start(&server, options, spec, why, sizeof why);
    if (!failed) {
        idb_plan plan = idb_plan_of(options, spec, &server.primary.at, NULL);
        for (uint32_t i = 0; i < spec->replicas; i++)
            plan.replica_pids[i] = server.replicas[i].at.pid;
        if (spec->external.port)
            plan.work.run = run_of_its_own();
        failed = round(ctx, &plan);
    }
    idb_server_stop(&server);
    return idb_round_end(spec, failed);
}

int idb_round_end(const idb_spec *spec, const char *failed) {
    idb_progress_clear();
    /* The terminal's Ctrl-C goes to the server, too: that it is gone then is
     * no news. */
    if (failed && !idb_interrupted())
        fprintf(stderr, "idembench: %s: %s\n", spec->label, failed);
    return failed ? 1 : 0;
}
