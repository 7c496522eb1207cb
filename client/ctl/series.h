/* SPDX-License-Identifier: Apache-2.0 */
/* series.h -- a server's metrics in Prometheus' text format, line by line.
 * Pure: it borrows, and believes nothing of the text. */
#ifndef CTL_SERIES_H
#define CTL_SERIES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct series {
    const char *name; /* with its labels, as it stands */
    size_t name_len;
    size_t family_len;  /* of it, before the labels */
    const char *labels; /* what stands between the braces */
    size_t labels_len;
    double value;
} series;

/* The next line that is a sample; *at begins at the text and moves on. False:
 * there are no more. */
bool series_next(const char **at, series *one);

/* A label's value; false: it has none of this name. */
bool series_label(const series *one, const char *label, const char **value,
                  size_t *len);

#endif
