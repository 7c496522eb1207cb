/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h -- puts one server under one load and says what came of it.
 *
 * A plan is what to do; a sample is what was seen. The engine starts its own
 * threads and has none left when it returns. */
#ifndef IDB_ENGINE_H
#define IDB_ENGINE_H

#include "bench/hist.h"
#include "bench/key_dist.h"
#include "bench/target.h"
#include "bench/troubles.h"
#include "proto/commands.h"

#include <sched.h>

#define IDB_CONNECTIONS_MAX 20000
#define IDB_PIPELINE_MAX    4096
#define IDB_THREADS_MAX     64

/* Called a few times a second while the engine runs. */
typedef void idb_progress(void *ctx, const char *phase, double ops_per_s);

/* Something that happens to the server: begun as measuring begins, which then
 * lasts until it is over instead of for its time, but no longer than
 * IDB_EVENT_NS. On the main thread, looked at every few milliseconds. */
#define IDB_EVENT_NS (600 * IDB_NS_PER_S)

/* What is under way at the end has so long to be answered. */
#define IDB_PATIENCE_NS IDB_NS_PER_S

typedef struct idb_event {
    void (*begin)(void *ctx);
    bool (*is_over)(void *ctx);
    void *ctx;
} idb_event;

#define IDB_REPLICAS_MAX IDP_REPLICAS_MAX /* as many as idemstored takes */

typedef struct idb_plan {
    const idb_target *target;
    idb_endpoint server;
    pid_t replica_pids[IDB_REPLICAS_MAX]; /* 0: there is none */
    const idb_event *event;               /* NULL: none */
    idb_work work;
    idb_mix_weights mix;
    const idb_spread *spread; /* of the keys of duplicates */
    uint32_t connections;
    uint32_t pipeline; /* closed loop: jobs at a time per connection; open
                        * loop: at most that many */
    uint32_t threads;
    const cpu_set_t *cpus; /* NULL: anywhere */
    double rate;           /* jobs per second; 0: closed loop */
    uint64_t ramp_ns, warmup_ns, duration_ns;
    /* Not 0: ends after that many jobs instead, numbered from first_number
     * on; nothing is measured but errors. */
    uint64_t jobs;
    uint64_t first_number;
    uint64_t deadline_ns; /* not 0: records written end at this time */
    idb_progress *progress;
    void *progress_ctx;
} idb_plan;

typedef struct idb_sample {
    double seconds;
    uint64_t ops;  /* requests answered */
    uint64_t jobs; /* of those, the last of a job */
    idb_troubles troubles;
    uint64_t client_cpu_ns, server_cpu_ns, replica_cpu_ns;
    uint64_t rss_before, rss_after; /* bytes; 0: unknown */
    uint64_t keys_new;              /* made since rss_before was read */
    /* Owned. Also of what was sent in the time measured and answered after it,
     * and of what never was: the time that it had waited by then. */
    idb_hist *hist;
} idb_sample;

/* 0, or a text that says what failed, good until the next run. The sample is
 * filled in either case and belongs to the caller, who ends it with
 * idb_sample_fini. */
const char *idb_engine_run(const idb_plan *plan, idb_sample *sample);
void idb_sample_fini(idb_sample *sample);

/* What a connection says that failed goes with it: a copy, good until the next
 * one. The main thread's. */
const char *idb_text_kept(const char *failed);

#endif
