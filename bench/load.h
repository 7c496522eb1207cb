/* SPDX-License-Identifier: Apache-2.0 */
/* load.h -- one load on one server: the plan from the options, the columns of
 * a sample, and the records that are stored beforehand. */
#ifndef IDB_LOAD_H
#define IDB_LOAD_H

#include "bench/report.h"
#include "bench/spawn.h"

/* Microseconds and bytes. */
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
    X(key_bytes, "bytes/key", 0)        \
    X(replica_cpu_us, "replica us/op", 3) /* last: not always shown */

typedef enum idb_load_column {
#define X(name, title, digits) IDB_LOAD_##name,
    IDB_FIGURES(X)
#undef X
        IDB_LOAD_COUNT
} idb_load_column;

extern const idb_column idb_load_columns[IDB_LOAD_COUNT];

/* Enters a sample as one more round of the result. */
void idb_load_add(idb_result *result, const idb_sample *sample);

/* The plan that the options describe, against this server. */
idb_plan idb_plan_of(const idb_options *options, const idb_spec *spec,
                     const idb_endpoint *server, const idb_spread *spread);

/* Stores `count` records from number `first` on, as fast as it goes: FRESH
 * leaves them completed, CLAIM in flight. 0 or what failed. */
const char *idb_fill(const idb_plan *like, idb_job job, uint64_t first,
                     uint64_t count);

/* The keys that the mix's duplicates are of, and --prefill. */
const char *idb_fill_pools(const idb_options *options, const idb_plan *like);

/* A round's server: started, its plan made, the round run, the server ended
 * again. A line on stderr and 1 where something failed, else 0. */
typedef const char *idb_round(void *ctx, idb_plan *plan);
int idb_with_server(const idb_options *options, const idb_spec *spec,
                    idb_round *round, void *ctx);

/* The end of a round: the line of progress goes; 1 where something failed,
 * which is told, else 0. */
int idb_round_end(const idb_spec *spec, const char *failed);

/* Something that happens under a load, as it was seen by that load and by a
 * ping to each loop. */
typedef struct idb_seen {
    double p99_us;
    double worst_ms;      /* of the pings */
    double slow_permille; /* of them took 10 ms or more */
    double seconds;
    double server_cpu_us; /* per operation */
} idb_seen;

/* Of the same load before something and while it happens, in these columns. */
#define IDB_SEEN_ROWS \
    BASE_P99, DURING_P99, TIMES, BASE_WORST, TURN_WORST, BASE_SLOW, SLOW
#define IDB_SEEN_COLUMNS                                          \
    [BASE_P99] = {"base_p99_us", "p99 before us", 1},             \
    [DURING_P99] = {"during_p99_us", "p99 during us", 1},         \
    [TIMES] = {"p99_times", "p99 times", 2},                      \
    [BASE_WORST] = {"base_turn_ms", "turn before ms", 2},         \
    [TURN_WORST] = {"turn_ms", "turn ms", 2},                     \
    [BASE_SLOW] = {"base_slow_permille", "10 ms before o/oo", 2}, \
    [SLOW] = {"slow_permille", "10 ms o/oo", 2}

/* Fills them from values[BASE_P99] on; seconds: how long it happened. */
const char *idb_under_twice(const idb_plan *like, double default_ops,
                            const idb_event *event, double *values,
                            double *seconds);

/* Refuses with a line on stderr what a scenario of the daemon's own can't be
 * for: other targets, or servers that are not spawned. */
bool idb_is_own(const idb_options *options);

/* run.c: all rounds of all targets, interleaved. 0 or 1. */
int idb_run(const idb_options *options, idb_report *report);

/* progress.c: the live line; nothing where stderr is no terminal. */
void idb_progress_target(const char *label, uint32_t round, uint32_t rounds);
void idb_progress_show(void *options, const char *phase, double ops_per_s);
void idb_progress_clear(void);

#endif
