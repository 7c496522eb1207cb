/* run.h -- rounds: every target in turn, round after round, and what each
 * came to. */
#ifndef IDB_RUN_H
#define IDB_RUN_H

#include "bench/options.h"

typedef struct idb_figure {
    double median, min, max;
} idb_figure;

/* What one round of one target came to. Microseconds and bytes. */
#define IDB_FIGURES(X)                  \
    X(ops_per_s, "ops/s", 0)            \
    X(jobs_per_s, "jobs/s", 0)          \
    X(p50_us, "p50 us", 1)              \
    X(p90_us, "p90 us", 1)              \
    X(p99_us, "p99 us", 1)              \
    X(p999_us, "p99.9 us", 1)           \
    X(max_us, "max us", 0)              \
    X(server_cpu_us, "server us/op", 3) \
    X(client_cpu_us, "client us/op", 3) \
    X(client_busy, "client busy", 2)    \
    X(key_bytes, "bytes/key", 0)

typedef enum idb_figure_name {
#define X(name, title, digits) IDB_FIGURE_##name,
    IDB_FIGURES(X)
#undef X
        IDB_FIGURE_COUNT
} idb_figure_name;

extern const char *const idb_figure_keys[IDB_FIGURE_COUNT];
extern const char *const idb_figure_titles[IDB_FIGURE_COUNT];
extern const int idb_figure_digits[IDB_FIGURE_COUNT];

typedef struct idb_result {
    const idb_spec *spec;
    const char *label; /* the row's name: the spec's, or a scenario's */
    uint32_t rounds;
    double (*values)[IDB_FIGURE_COUNT]; /* per round; NAN: not known */
    idb_figure figures[IDB_FIGURE_COUNT];
    uint64_t unexpected, broken, missed, due, late_max_ns;
    char first_unexpected[128];
    idb_hist *hist; /* of all rounds */
} idb_result;

typedef struct idb_report {
    const idb_options *options;
    idb_result *results;
    uint32_t count;
} idb_report;

/* An empty report with `count` results of options->rounds rounds each. False
 * without memory; fini in either case. */
bool idb_report_init(idb_report *report, const idb_options *options,
                     uint32_t count);
void idb_report_fini(idb_report *report);

/* One more round of this result. */
void idb_result_add(idb_result *result, const idb_sample *sample);

/* Medians and ranges over the rounds that were added. */
void idb_result_finish(idb_result *result);

/* The plan that the options describe, against this server. */
idb_plan idb_plan_of(const idb_options *options, const idb_spec *spec,
                     const idb_endpoint *server, const idb_spread *spread);

/* Stores records first..first+count-1 of a family, as fast as it goes. */
const char *idb_fill(const idb_plan *like, idb_job job, uint64_t first,
                     uint64_t count);

/* All rounds of all targets. 0, or 1 after a line on stderr. */
int idb_run(const idb_options *options, idb_report *report);

#endif
