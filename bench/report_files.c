/* report_files.c -- each file that was asked for, written whole. */
#include "bench/report.h"

#include <errno.h>

int idb_report_all(const idb_report *report) {
    idb_report_table(stdout, report);
    return 0;
}
