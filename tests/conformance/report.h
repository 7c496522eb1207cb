/* SPDX-License-Identifier: Apache-2.0 */
/* report.h -- what came of the cases: for a terminal, as JUnit XML, as JSON,
 * as one HTML page. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "tests/conformance/run_cases.h"

#include <stdio.h>

typedef struct conf_report {
    const conf_options *options;
    const conf_cases *cases;
    const conf_result *results;
} conf_report;

typedef struct conf_counts {
    int of[CONF_VERDICTS];
    int bad;
    int chosen;
} conf_counts;

conf_counts conf_count(const conf_report *report, int tier); /* -1: all */

/* Whether the case was asked for. */
bool conf_was_chosen(const conf_result *result);

/* A word: passed, failed, "failed as expected", "passed unexpectedly"... */
const char *conf_result_word(const conf_report *report, int index);

void conf_print(const conf_report *report);
void conf_print_list(const conf_options *options, const conf_cases *cases,
                     const conf_result *results);

/* Each writes one file. False when it can't: it was said on stderr. */
bool conf_write_files(const conf_report *report);

void conf_write_html(const conf_report *report, FILE *to);

/* Text for XML and HTML: what they may not hold becomes a question mark. */
void conf_write_escaped(const char *text, FILE *to);

#endif
