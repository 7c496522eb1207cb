/* SPDX-License-Identifier: Apache-2.0 */
/* scenario.h -- stories longer than one load: what the table weighs, how it
 * grows, how it forgets, what it costs at rest, what the client library adds,
 * what a snapshot, a full copy, a failover, a hot key and a walk do to the
 * clients.
 *
 * Each fills a report, so that every output works for it. */
#ifndef IDB_SCENARIO_H
#define IDB_SCENARIO_H

#include "bench/load.h"

/* Runs options->scenario for every target. 0, 1, or IDB_EXIT_USAGE. */
int idb_scenario(const idb_options *options, idb_report *report);

/* --records, or the scenario's own list; returns how many, at most max. */
uint32_t idb_records(const idb_options *options, const uint64_t *own,
                     uint32_t own_count, uint64_t *to, uint32_t max);

/* One target with so many records, once; rows belong to the report. */
typedef struct idb_turn {
    const idb_options *options;
    idb_report *report;
    const idb_spec *spec;
    uint64_t records; /* 0: the scenario names none */
} idb_turn;

/* Each round, each number of records (own, or --records), each target. 0, or
 * what the first turn returns that isn't. */
int idb_turns(const idb_options *options, idb_report *report,
              const uint64_t *own, uint32_t own_count,
              int (*run)(const idb_turn *turn));

/* A row "TARGET RECORDS WHAT" with one more round; what may be "". NULL: the
 * report has no room. */
double *idb_turn_values(const idb_turn *turn, const char *what);

/* "1 M", "250 k", "37". */
const char *idb_count_text(uint64_t count, char *to, size_t cap);

#define IDB_URI_BYTES 4096

/* libidemclient's URI of one node, or of two, over TLS where they have it. */
void idb_uri_write(char to[static IDB_URI_BYTES], const idb_endpoint *node,
                   const idb_endpoint *other);

/* The plan's work with records that outlive the scenario. */
void idb_keep_long(idb_plan *plan);

/* Each fills columns and rows; 0 or 1. */
int idb_scenario_memory(const idb_options *options, idb_report *report);
int idb_scenario_growth(const idb_options *options, idb_report *report);
int idb_scenario_expiry(const idb_options *options, idb_report *report);
int idb_scenario_idle(const idb_options *options, idb_report *report);
int idb_scenario_client(const idb_options *options, idb_report *report);
int idb_scenario_snapshot(const idb_options *options, idb_report *report);
int idb_scenario_fullsync(const idb_options *options, idb_report *report);
int idb_scenario_failover(const idb_options *options, idb_report *report);
int idb_scenario_hotkey(const idb_options *options, idb_report *report);
int idb_scenario_listing(const idb_options *options, idb_report *report);

#endif
