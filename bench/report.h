/* report.h -- what the user gets to see: one report, many shapes of it. */
#ifndef IDB_REPORT_H
#define IDB_REPORT_H

#include "bench/run.h"

/* A figure as people read it: "12 345", "1.25", "-" when not known. */
const char *idb_figure_text(double value, int digits, char *to, size_t cap);

/* The ratio of server CPU per op to the first target's; NAN when unknown. */
double idb_report_ratio(const idb_report *report, uint32_t i,
                        idb_figure_name name);

void idb_report_table(FILE *to, const idb_report *report);
void idb_report_json(FILE *to, const idb_report *report);
void idb_report_csv(FILE *to, const idb_report *report);
void idb_report_hgrm(FILE *to, const idb_hist *hist);
void idb_report_html(FILE *to, const idb_report *report);

/* Every file that the options name, and the table. 0 or 1. */
int idb_report_all(const idb_report *report);

/* The live line; nothing where stderr is no terminal. */
void idb_progress_target(const char *label, uint32_t round, uint32_t rounds);
void idb_progress_show(void *options, const char *phase, double ops_per_s);
void idb_progress_clear(void);

#endif
