/* SPDX-License-Identifier: Apache-2.0 */
/* scenario.c -- one table of scenarios, and what they share. */
#include "bench/scenario.h"

#include <stdlib.h>

static const struct {
    const char *name;
    int (*run)(const idb_options *, idb_report *);
} scenarios[] = {
    {"memory", idb_scenario_memory},     {"growth", idb_scenario_growth},
    {"expiry", idb_scenario_expiry},     {"idle", idb_scenario_idle},
    {"client", idb_scenario_client},     {"snapshot", idb_scenario_snapshot},
    {"fullsync", idb_scenario_fullsync}, {"failover", idb_scenario_failover},
    {"hotkey", idb_scenario_hotkey},     {"listing", idb_scenario_listing},
};

int idb_scenario(const idb_options *options, idb_report *report) {
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i].name, options->scenario) != 0)
            continue;
        report->name = scenarios[i].name;
        report->ratio_column = -1;
        int failed = scenarios[i].run(options, report);
        if (!failed)
            idb_report_finish(report);
        return failed;
    }
    fprintf(stderr,
            "idembench: --scenario is memory, growth, expiry, idle, "
            "client, snapshot, fullsync, failover, hotkey or listing\n");
    return IDB_EXIT_USAGE;
}

uint32_t idb_records(const idb_options *options, const uint64_t *own,
                     uint32_t own_count, uint64_t *to, uint32_t max) {
    uint32_t count = 0;
    if (!options->records) {
        for (; count < own_count && count < max; count++)
            to[count] = own[count];
        return count;
    }
    for (const char *at = options->records; *at && count < max;) {
        char *end;
        uint64_t n = strtoull(at, &end, 10);
        if (end == at)
            break;
        if (n > 0 && n <= 1000000000)
            to[count++] = n;
        at = end + (*end == ',');
    }
    return count;
}

static int turns_of(const idb_options *options, idb_report *report,
                    uint32_t round, uint64_t records,
                    int (*run)(const idb_turn *turn)) {
    int failed = 0;
    for (uint32_t i = 0; i < options->spec_count && !failed; i++) {
        const idb_turn turn = {options, report, &options->specs[i], records};
        idb_progress_target(turn.spec->label, round + 1, options->rounds);
        failed = run(&turn);
    }
    return failed;
}

int idb_turns(const idb_options *options, idb_report *report,
              const uint64_t *own, uint32_t own_count,
              int (*run)(const idb_turn *turn)) {
    uint64_t records[8] = {0};
    uint32_t count =
        own_count ? idb_records(options, own, own_count, records, 8) : 1;
    int failed = 0;
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t n = 0; n < count && !failed; n++)
            failed = turns_of(options, report, round, records[n], run);
    return failed;
}

double *idb_turn_values(const idb_turn *turn, const char *what) {
    char label[96], count[24];
    snprintf(label, sizeof label, "%s %s%s%s", turn->spec->label,
             idb_count_text(turn->records, count, sizeof count),
             *what ? " " : "", what);
    return idb_result_round(idb_report_row(turn->report, label));
}

const char *idb_count_text(uint64_t count, char *to, size_t cap) {
    if (count >= 1000000 && count % 100000 == 0)
        snprintf(to, cap, "%.3g M", (double)count / 1e6);
    else if (count >= 1000 && count % 1000 == 0)
        snprintf(to, cap, "%lu k", (unsigned long)(count / 1000));
    else
        snprintf(to, cap, "%lu", (unsigned long)count);
    return to;
}

void idb_keep_long(idb_plan *plan) {
    plan->work.ttl_ms = 24ull * 3600 * 1000;
    plan->work.lease_ms = 24u * 3600 * 1000;
}

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || strchr("-._~/", c) != NULL;
}

void idb_uri_write(char to[static IDB_URI_BYTES], const idb_endpoint *node,
                   const idb_endpoint *other) {
    const size_t cap = IDB_URI_BYTES;
    int len = snprintf(to, cap, "%s://%s:%u", node->tls ? "idems" : "idem",
                       node->host, node->port);
    if (other)
        len += snprintf(to + len, cap - (size_t)len, ",%s:%u", other->host,
                        other->port);
    len += snprintf(to + len, cap - (size_t)len, "?client=idembench%s",
                    node->tls && node->tls->ca[0] ? "&ca=" : "");
    for (const char *c = node->tls ? node->tls->ca : ""; *c; c++)
        len += is_plain(*c) ? snprintf(to + len, cap - (size_t)len, "%c", *c)
                            : snprintf(to + len, cap - (size_t)len, "%%%02X",
                                       (uint8_t)*c);
}
