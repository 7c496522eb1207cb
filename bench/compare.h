/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h -- two reports: what changed beyond noise. */
#ifndef IDB_COMPARE_H
#define IDB_COMPARE_H

#include <stdio.h>

/* Prints one line per figure of each target that both files have. 0, or 1
 * after a line on stderr. */
int idb_compare(FILE *to, const char *before, const char *after);

#endif
