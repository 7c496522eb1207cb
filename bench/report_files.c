/* SPDX-License-Identifier: Apache-2.0 */
/* report_files.c -- each file that was asked for, written whole. */
#include "bench/report.h"

#include <ctype.h>
#include <errno.h>
#include <unistd.h>

static int failed(const char *path) {
    fprintf(stderr, "idembench: %s: %s\n", path, strerror(errno));
    return 1;
}

static bool is_writable(const char *path) {
    bool was = path && access(path, F_OK) == 0;
    FILE *file = path ? fopen(path, "a") : NULL;
    if (path && (!file || fclose(file) != 0))
        return !failed(path);
    if (path && !was)
        unlink(path);
    return true;
}

bool idb_report_files_are_writable(const idb_options *options) {
    char hgrm[4096];
    snprintf(hgrm, sizeof hgrm, "%s-.hgrm", options->hgrm ? options->hgrm : "");
    return is_writable(options->json) && is_writable(options->csv) &&
           is_writable(options->html) &&
           is_writable(options->hgrm ? hgrm : NULL);
}

static int file_write(const char *path, const idb_report *report,
                      void (*write)(FILE *, const idb_report *)) {
    if (!path)
        return 0;
    FILE *file = fopen(path, "w");
    if (!file)
        return failed(path);
    write(file, report);
    bool bad = ferror(file) != 0;
    return fclose(file) != 0 || bad ? failed(path) : 0;
}

/* PREFIX-LABEL.hgrm; what no file name likes becomes '_'. */
static int hgrm_write(const char *prefix, const idb_result *result) {
    char path[4096], label[96];
    if (result->hist->total == 0)
        return 0;
    snprintf(label, sizeof label, "%s", result->label);
    for (char *c = label; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
            *c = '_';
    snprintf(path, sizeof path, "%s-%s.hgrm", prefix, label);
    FILE *file = fopen(path, "w");
    if (!file)
        return failed(path);
    idb_report_hgrm(file, result->hist);
    return fclose(file) != 0 ? failed(path) : 0;
}

int idb_report_all(const idb_report *report) {
    const idb_options *options = report->options;
    idb_report_table(stdout, report);
    fflush(stdout);
    int bad = file_write(options->json, report, idb_report_json) |
              file_write(options->csv, report, idb_report_csv) |
              file_write(options->html, report, idb_report_html);
    for (uint32_t i = 0; options->hgrm && i < report->count; i++)
        bad |= hgrm_write(options->hgrm, &report->results[i]);
    return bad;
}
