/* run.c -- A B C, A B C ...: each target gets a server of its own for each of
 * its rounds, so that none works beside another's garbage. */
#include "bench/run.h"
#include "bench/report.h"
#include "bench/spawn.h"

#include <unistd.h>

/* Filling is not measured: as deep as any server takes it well. */
#define FILL_CONNECTIONS 8
#define FILL_PIPELINE    64
#define FILL_TTL_MS_MIN  (3600u * 1000)

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
        .progress = idb_progress_show,
        .progress_ctx = (void *)options,
    };
}

const char *idb_fill(const idb_plan *like, idb_job job, uint64_t first,
                     uint64_t count) {
    if (count == 0)
        return NULL;
    idb_plan plan = *like;
    idb_sample sample;
    static char why[192];
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
    if (!failed && sample.unexpected > 0) {
        snprintf(why, sizeof why, "filling: %s", sample.first_unexpected);
        failed = why;
    }
    idb_sample_fini(&sample);
    return failed;
}

/* The keys that duplicates are of, and --prefill. */
static const char *prepare(const idb_options *options, const idb_plan *plan) {
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

static int round_run(const idb_options *options, idb_result *result,
                     const idb_spread *spread, uint32_t round) {
    char why[192];
    idb_server server;
    idb_sample sample = {0};
    idb_progress_target(result->spec->label, round + 1, options->rounds);
    const char *failed =
        idb_server_start(&server, options, result->spec, why, sizeof why);
    if (!failed) {
        idb_plan plan = idb_plan_of(options, result->spec, &server.at, spread);
        plan.first_number += (uint64_t)(round + 1) << 46;
        failed = prepare(options, &plan);
        if (!failed)
            failed = idb_engine_run(&plan, &sample);
        if (sample.hist && sample.seconds > 0)
            idb_result_add(result, &sample);
        idb_sample_fini(&sample);
    }
    idb_server_stop(&server);
    idb_progress_clear();
    if (failed)
        fprintf(stderr, "idembench: %s: %s\n", result->spec->label, failed);
    return failed ? 1 : 0;
}

int idb_run(const idb_options *options, idb_report *report) {
    idb_spread spread;
    idb_spread_init(&spread, options->pool, options->zipf);
    for (uint32_t i = 0; i < report->count; i++) {
        report->results[i].spec = &options->specs[i];
        report->results[i].label = options->specs[i].label;
    }
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t i = 0; i < report->count; i++)
            if (round_run(options, &report->results[i], &spread, round) != 0)
                return 1;
    for (uint32_t i = 0; i < report->count; i++)
        idb_result_finish(&report->results[i]);
    return 0;
}
