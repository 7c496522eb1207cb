/* SPDX-License-Identifier: Apache-2.0 */
/* report_json.c -- everything, for --compare, scripts and the page. */
#include "bench/json.h"
#include "bench/machine.h"
#include "bench/report.h"

#include <math.h>

static void member_text(FILE *to, const char *name, const char *text) {
    idb_json_text(to, name);
    fputs(": ", to);
    idb_json_text(to, text);
    fputs(",\n ", to);
}

static void member_number(FILE *to, const char *name, double value) {
    idb_json_text(to, name);
    fputs(": ", to);
    idb_json_number(to, value);
    fputs(", ", to);
}

static void machine_write(FILE *to, const idb_report *report) {
    char text[256], disk[1600];
    idb_machine_date(text, sizeof text);
    member_text(to, "date", text);
    idb_machine_cpu(text, sizeof text);
    member_text(to, "cpu", text);
    idb_machine_kernel(text, sizeof text);
    member_text(to, "kernel", text);
    idb_report_disk(report, disk, sizeof disk);
    if (disk[0])
        member_text(to, "disk", disk);
    fputs("\"versions\": {", to);
    const idb_options *options = report->options;
    for (uint32_t i = 0; i < options->spec_count; i++) {
        const idb_spec *spec = &options->specs[i];
        if (spec->external.port)
            snprintf(text, sizeof text, "at %s:%u", spec->external.host,
                     spec->external.port);
        else
            idb_machine_version(options, spec->target, text, sizeof text);
        fputs(i ? ", " : "", to);
        idb_json_text(to, spec->label);
        fputs(": ", to);
        idb_json_text(to, text);
    }
    fputs("},\n ", to);
}

static void options_write(FILE *to, const idb_options *o) {
    fputs("\"options\": {", to);
    member_number(to, "connections", o->connections);
    member_number(to, "pipeline", o->pipeline);
    member_number(to, "threads", o->threads);
    member_number(to, "rounds", o->rounds);
    member_number(to, "rate", o->rate);
    member_number(to, "duration_s", o->duration_s);
    member_number(to, "warmup_s", o->warmup_s);
    member_number(to, "ramp_s", o->ramp_s);
    member_number(to, "key_bytes", o->work.key_bytes);
    member_number(to, "fingerprint_bytes", o->work.fingerprint_bytes);
    member_number(to, "nonce_bytes", o->work.nonce_bytes);
    member_number(to, "result_bytes", o->work.result_bytes);
    member_number(to, "lease_ms", o->work.lease_ms);
    member_number(to, "ttl_ms", (double)o->work.ttl_ms);
    member_number(to, "zipf", o->zipf);
    member_number(to, "pool", (double)o->pool);
    member_number(to, "prefill", (double)o->prefill);
    member_number(to, "seed", (double)o->work.seed);
    fputs("\"mix\": {", to);
    bool more = false;
    for (int i = 0; i < IDB_JOB_COUNT; i++)
        if (o->mix.weight[i]) {
            fprintf(to, "%s\"%s\": %u", more ? ", " : "",
                    idb_job_name((idb_job)i), o->mix.weight[i]);
            more = true;
        }
    fputs("}},\n ", to);
}

static void figures_write(FILE *to, const idb_report *report,
                          const idb_result *result) {
    fputs("   \"figures\": {", to);
    for (uint32_t c = 0; c < report->column_count; c++) {
        const idb_figure *f = &result->figures[c];
        fputs(c ? ",\n     " : "\n     ", to);
        idb_json_text(to, report->columns[c].key);
        fputs(": {", to);
        member_number(to, "median", f->median);
        member_number(to, "min", f->min);
        member_number(to, "max", f->max);
        fputs("\"rounds\": [", to);
        for (uint32_t r = 0; r < result->rounds; r++) {
            fputs(r ? ", " : "", to);
            idb_json_number(to, result->values[r * IDB_COLUMNS_MAX + c]);
        }
        fputs("]}", to);
    }
    fputs("},\n", to);
}

static void troubles_write(FILE *to, const idb_troubles *t) {
    fputs("   \"troubles\": {", to);
    member_number(to, "unexpected", (double)t->unexpected);
    member_number(to, "connections_lost", (double)t->broken);
    member_number(to, "unanswered", (double)t->unanswered);
    member_number(to, "unanswered_max_ms", (double)t->waited_max_ns / 1e6);
    member_number(to, "overdue", (double)t->overdue);
    member_number(to, "planned", (double)t->due);
    member_number(to, "late", (double)t->missed);
    member_number(to, "late_max_ms", (double)t->late_max_ns / 1e6);
    member_number(to, "server_waited",
                  t->server_seen ? t->server_waited : (double)NAN);
    member_number(to, "client_waited", t->client_waited);
    member_number(to, "stolen", t->stolen);
    fputs("\"client_busy\": ", to);
    idb_json_number(to, t->client_busy);
    fputs("},\n", to);
}

/* [percentile, us] pairs, as dense as a curve needs. */
static void curve_write(FILE *to, const idb_hist *hist) {
    fputs("   \"latency_us\": [", to);
    double left = 1;
    for (int i = 0; hist->total && i < 64; i++, left *= 0.8) {
        if (left * (double)hist->total < 1)
            break;
        fprintf(to, "%s[%.9g, %.6g]", i ? ", " : "", 100 * (1 - left),
                (double)idb_hist_at(hist, 1 - left) / 1e3);
    }
    fputs("]", to);
}

void idb_report_json(FILE *to, const idb_report *report) {
    fputs("{\"idembench\": 1,\n ", to);
    member_text(to, "name", report->name);
    member_number(to, "rounds", idb_report_rounds(report));
    machine_write(to, report);
    options_write(to, report->options);
    fputs("\"columns\": [", to);
    for (uint32_t c = 0; c < report->column_count; c++) {
        fputs(c ? ",\n   {" : "\n   {", to);
        member_number(to, "digits", report->columns[c].digits);
        fputs("\"key\": ", to);
        idb_json_text(to, report->columns[c].key);
        fputs(", \"title\": ", to);
        idb_json_text(to, report->columns[c].title);
        fputs("}", to);
    }
    fputs("],\n \"results\": [", to);
    for (uint32_t i = 0; i < report->count; i++) {
        const idb_result *result = &report->results[i];
        fputs(i ? ",\n  {" : "\n  {", to);
        member_text(to, "label", result->label);
        member_text(to, "note", result->note);
        member_number(to, "ratio", idb_report_ratio(report, i));
        fputc('\n', to);
        figures_write(to, report, result);
        troubles_write(to, &result->troubles);
        curve_write(to, result->hist);
        fputs("}", to);
    }
    fputs("]}\n", to);
}
