/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c -- what each namespace has at one server, and may have: a table
 * for people, an array of objects for scripts. */
#include "client/ctl/ctl.h"
#include "client/ctl/rates.h"
#include "client/ctl/report.h"

#include <inttypes.h>
#include <string.h>

typedef struct shown {
    bool json;
    uint32_t count;
    bool is_behind;
} shown;

typedef struct limit {
    const char *key;
    uint64_t value;
} limit;

#define LIMITS 6

static void list_limits(const idem_namespace *one, limit to[static LIMITS]) {
    const limit all[LIMITS] = {{"max_records", one->records_max},
                               {"max_memory", one->bytes_max},
                               {"rate", one->rate},
                               {"burst", one->burst},
                               {"max_ttl", one->ttl_ms_max},
                               {"max_result", one->result_bytes_max}};
    memcpy(to, all, sizeof all);
}

static void show_json(const shown *s, const idem_namespace *one) {
    limit limits[LIMITS];
    list_limits(one, limits);
    fputs(s->count ? "," : "{\"namespaces\":[", stdout);
    report r =
        report_begin(stdout, true, "is", one->is_others ? "others" : "one");
    report_bytes(&r, "namespace", one->is_others ? NULL : one->ns, one->ns_len);
    report_number(&r, "records", one->records);
    report_number(&r, "in_progress", one->in_progress);
    report_number(&r, "bytes", one->bytes);
    report_number(&r, "refused_full", one->refused_full);
    report_number(&r, "refused_rate", one->refused_rate);
    report_number(&r, "results_dropped", one->results_dropped);
    for (size_t i = 0; i < LIMITS; i++)
        if (limits[i].value == IDEM_UNLIMITED)
            report_bytes(&r, limits[i].key, NULL, 0);
        else
            report_number(&r, limits[i].key, limits[i].value);
    fputc('}', stdout);
}

/* Watched: what is new a second, and what was refused. */
static void put_rates(const idem_namespace *one) {
    double records = 0, refused = 0;
    if (!rates_on())
        return;
    rates_of("records", 7, one->records, &records);
    rates_of("refused", 7, one->refused_full + one->refused_rate, &refused);
    printf("%+11.1f %+11.1f  ", records, refused);
}

/* The name as in the settings, and only limits that there are. */
static void show_row(const shown *s, const idem_namespace *one) {
    limit limits[LIMITS];
    list_limits(one, limits);
    if (s->count == 0)
        printf("%12s %12s %14s %10s %10s %10s  %snamespace\n", "records",
               "in_progress", "bytes", "full", "rate", "dropped",
               rates_on() ? "  records/s   refused/s  " : "");
    printf("%12" PRIu64 " %12" PRIu64 " %14" PRIu64 " %10" PRIu64 " %10" PRIu64
           " %10" PRIu64 "  ",
           one->records, one->in_progress, one->bytes, one->refused_full,
           one->refused_rate, one->results_dropped);
    put_rates(one);
    fputc(one->is_others ? '*' : '"', stdout);
    report_escape(stdout, one->ns, one->ns_len);
    fputs(one->is_others ? "" : "\"", stdout);
    for (size_t i = 0; i < LIMITS; i++)
        if (limits[i].value != IDEM_UNLIMITED)
            printf(" %s=%" PRIu64, limits[i].key, limits[i].value);
    fputc('\n', stdout);
}

static void show_namespace(void *ctx, const idem_namespace *one) {
    shown *s = ctx;
    rates_scope(one->is_others ? "" : (const char *)one->ns,
                one->is_others ? 0 : one->ns_len);
    if (s->json)
        show_json(s, one);
    else
        show_row(s, one);
    s->count++;
    s->is_behind = s->is_behind || one->is_behind;
}

ctl_exit ctl_run_namespaces(ctl_session *session, ctl_ask *ask) {
    idem_error err = IDEM_ERROR_INIT;
    shown s = {.json = ask->json};
    int32_t code = idem_namespaces_get(
        session->uri_at_once, ask->args.timeout_ms, show_namespace, &s, &err);
    if (s.json && (s.count > 0 || code == IDEM_OK))
        printf("%s],\"is_behind\":%s}\n", s.count ? "" : "{\"namespaces\":[",
               s.is_behind ? "true" : "false");
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    if (!s.json && s.count == 0)
        puts("none: the settings of this server name no namespace");
    if (!s.json && s.is_behind)
        puts("records from before are still being counted");
    fflush(stdout);
    return CTL_EXIT_DONE;
}
