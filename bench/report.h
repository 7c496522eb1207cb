/* SPDX-License-Identifier: Apache-2.0 */
/* report.h -- what was seen, as columns and rows, and the shapes that the
 * user gets it in.
 *
 * A load run and every scenario fill the same report, so that the table, the
 * files and --compare know only this. */
#ifndef IDB_REPORT_H
#define IDB_REPORT_H

#include "bench/options.h"

typedef struct idb_column {
    const char *key;   /* in files: ops_per_s */
    const char *title; /* for people: ops/s */
    int digits;        /* behind the point */
} idb_column;

typedef struct idb_figure {
    double median, min, max; /* NAN: not known */
} idb_figure;

#define IDB_COLUMNS_MAX 16
#define IDB_NOTE_BYTES  1024

typedef struct idb_result {
    char label[96];
    uint32_t rounds;     /* added so far */
    uint32_t rounds_max; /* room */
    double *values;      /* rounds_max rows of IDB_COLUMNS_MAX */
    idb_figure figures[IDB_COLUMNS_MAX];
    char note[IDB_NOTE_BYTES]; /* a line under the table; may be empty */
    idb_troubles troubles;     /* of all rounds of a load */
    idb_hist *hist;            /* of all rounds; may be empty */
} idb_result;

typedef struct idb_report {
    const idb_options *options;
    const char *name; /* "load", or the scenario's */
    const idb_column *columns;
    uint32_t column_count;
    int ratio_column; /* to compare the rows by; -1: none */
    idb_result *results;
    uint32_t count, max;
    const char *text; /* under the table: what the columns mean */
    bool has_files;   /* servers kept something: where is said */
} idb_report;

/* Whether all files that were asked for can be written: before anything is
 * measured. A line on stderr where one can't. */
bool idb_report_files_are_writable(const idb_options *options);

/* Room for max results of options->rounds rounds each. False without memory;
 * fini in either case. */
bool idb_report_init(idb_report *report, const idb_options *options,
                     uint32_t max);
void idb_report_fini(idb_report *report);

/* The result of that label; a new, empty one the first time. NULL when there
 * is no room. */
idb_result *idb_report_row(idb_report *report, const char *label);

/* One more round: a row of values, NAN until set. NULL when full. */
double *idb_result_round(idb_result *result);

/* Medians and ranges over the rounds that were added. */
void idb_report_finish(idb_report *report);

/* So many rounds stand behind every row: fewer than were asked for where
 * somebody interrupted. */
uint32_t idb_report_rounds(const idb_report *report);

/* The ratio of a result's ratio_column to the first result's; NAN. */
double idb_report_ratio(const idb_report *report, uint32_t i);

/* Where the servers kept what they kept: which file system, and whether that
 * is one at all. "" where none kept anything. */
void idb_report_disk(const idb_report *report, char *to, size_t cap);

/* A figure as people read it: "12 345", "1.25", "-" when not known. */
const char *idb_figure_text(double value, int digits, char *to, size_t cap);

void idb_report_table(FILE *to, const idb_report *report);
void idb_report_json(FILE *to, const idb_report *report);
void idb_report_csv(FILE *to, const idb_report *report);
void idb_report_hgrm(FILE *to, const idb_hist *hist);
void idb_report_html(FILE *to, const idb_report *report);

/* The table on stdout and every file that the options name. 0 or 1. */
int idb_report_all(const idb_report *report);

#endif
