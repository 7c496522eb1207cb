/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_expiry.c -- many records end at the same moment.
 *
 * Twice: once with no traffic at all, watching the server's memory; once
 * under a light open load, whose p99 is held against its own before. Every
 * record's retention is counted so that all end together. */
#include "bench/proc.h"
#include "bench/scenario.h"

#include <math.h>

#define LIGHT_OPS   2000.0
#define WATCH_NS    (30 * IDB_NS_PER_S)
#define LOOK_NS     (20 * IDB_NS_PER_MS)
#define PART_MS_MAX 16000
#define LEAD_NS     (300 * IDB_NS_PER_MS) /* of the load before the end */

enum {
    RECORDS,
    RECLAIM_MS,
    LEFT,
    BASE_P99,
    DURING_P99,
    TIMES,
    DURING_MAX,
    COLUMNS
};

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [RECLAIM_MS] = {"reclaim_ms", "90 % reclaimed after ms", 0},
    [LEFT] = {"left_percent", "left, %", 1},
    [BASE_P99] = {"base_p99_us", "p99 before us", 1},
    [DURING_P99] = {"during_p99_us", "p99 during us", 1},
    [TIMES] = {"p99_times", "p99 times", 2},
    [DURING_MAX] = {"during_max_us", "max during us", 0},
};

typedef struct ending {
    const idb_options *options;
    idb_report *report;
    const idb_spec *spec;
    uint64_t records;
    double *values;
} ending;

/* A few records that live no longer than it takes to store them: on a machine
 * that is disturbed they live longer, and others are taken. */
static const char *fill_part(idb_plan *like, uint64_t part, uint64_t *first) {
    const char *failed = "";
    for (uint32_t ms = 1000; failed && ms <= PART_MS_MAX; ms *= 2) {
        like->work.ttl_ms = like->work.lease_ms = ms;
        failed = idb_fill(like, IDB_FRESH, *first, part);
        *first += part;
    }
    return failed;
}

/* Fills so that all records end at the same time, which is returned in
 * *end_ns; a twentieth of them tells how long the rest will take. */
static const char *fill_to_end(const idb_plan *plan, uint64_t records,
                               uint64_t first, uint64_t *end_ns) {
    idb_plan like = *plan;
    uint64_t part = records / 20 ? records / 20 : 1;
    uint64_t start_ns = idb_now_ns();
    idb_keep_long(&like);
    const char *failed = fill_part(&like, part, &first);
    if (failed)
        return failed;
    uint64_t took_ns = idb_now_ns() - start_ns;
    like.deadline_ns = idb_now_ns() + 60 * took_ns + 4 * IDB_NS_PER_S;
    *end_ns = like.deadline_ns;
    failed = idb_fill(&like, IDB_FRESH, first, records);
    if (!failed && idb_now_ns() > *end_ns)
        failed = "filling took longer than the records live";
    return failed;
}

static const char *watch_reclaim(ending *e, idb_plan *plan) {
    pid_t pid = plan->server.pid;
    uint64_t end_ns, base = idb_proc_rss_bytes(pid);
    const char *failed = fill_to_end(plan, e->records, IDB_SPACE_FILL, &end_ns);
    if (failed)
        return failed;
    uint64_t full = idb_proc_rss_bytes(pid), now = full, at_ns;
    if (full <= base)
        return "the server's memory is not known";
    idb_sleep_until_ns(end_ns);
    while ((at_ns = idb_now_ns()) < end_ns + WATCH_NS) {
        now = idb_proc_rss_bytes(pid);
        double left = ((double)now - (double)base) / (double)(full - base);
        if (left <= 0.1 && isnan(e->values[RECLAIM_MS]))
            e->values[RECLAIM_MS] = (double)(at_ns - end_ns) / 1e6;
        /* A moment longer, for what still goes. */
        if (!isnan(e->values[RECLAIM_MS]) &&
            (double)(at_ns - end_ns) / 1e6 > e->values[RECLAIM_MS] + 2000)
            break;
        idb_sleep_until_ns(at_ns + LOOK_NS);
    }
    e->values[LEFT] =
        100 * ((double)now - (double)base) / (double)(full - base);
    return NULL;
}

static const char *light_load(ending *e, idb_plan *plan, uint32_t part,
                              double *p99_us, double *max_us) {
    idb_sample sample;
    idb_plan light = *plan;
    double rate = e->options->rate > 0 ? e->options->rate : LIGHT_OPS;
    light.rate = rate / plan->target->steps[IDB_FRESH];
    light.pipeline = 64;
    light.warmup_ns = 0;
    light.ramp_ns = 0;
    light.first_number = IDB_SPACE_NEW | (uint64_t)(part + 1) << 46;
    const char *failed = idb_engine_run(&light, &sample);
    *p99_us = (double)idb_hist_at(sample.hist, 0.99) / 1e3;
    *max_us = (double)sample.hist->max_ns / 1e3;
    idb_sample_fini(&sample);
    return failed;
}

static const char *watch_load(ending *e, idb_plan *plan) {
    uint64_t end_ns;
    double max_us, *v = e->values;
    const char *failed = fill_to_end(plan, e->records, IDB_SPACE_DONE, &end_ns);
    if (failed)
        return failed;
    /* The baseline is with the table full. */
    uint64_t room_ns = plan->duration_ns + LEAD_NS + IDB_NS_PER_S / 2;
    if (end_ns < idb_now_ns() + room_ns)
        return "no time for a baseline; give a shorter --duration";
    failed = light_load(e, plan, 1, &v[BASE_P99], &max_us);
    if (failed)
        return failed;
    idb_sleep_until_ns(end_ns - LEAD_NS);
    failed = light_load(e, plan, 2, &v[DURING_P99], &v[DURING_MAX]);
    v[TIMES] = v[DURING_P99] / v[BASE_P99];
    return failed;
}

static const char *watch_expiry(void *ctx, idb_plan *plan) {
    ending *e = ctx;
    char label[96], count[24];
    snprintf(label, sizeof label, "%s %s", e->spec->label,
             idb_count_text(e->records, count, sizeof count));
    e->values = idb_result_round(idb_report_row(e->report, label));
    if (!e->values)
        return "no room in the report";
    e->values[RECORDS] = (double)e->records;
    const char *failed = watch_reclaim(e, plan);
    return failed ? failed : watch_load(e, plan);
}

static int run_expiry(const idb_turn *turn) {
    ending e = {.options = turn->options,
                .report = turn->report,
                .spec = turn->spec,
                .records = turn->records};
    return idb_with_server(turn->options, turn->spec, watch_expiry, &e);
}

int idb_scenario_expiry(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {2000000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text =
        "All records end at one moment. Reclaimed: resident memory falls by "
        "90 % of what the records took, with no traffic; left: what stays.\n"
        "p99 of a light open load, before and while they end.";
    return idb_turns(options, report, own, 1, run_expiry);
}
