/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c -- noise is what a figure did over the rounds of its own run.
 *
 * Two figures differ when their ranges (min to max of the rounds) do not
 * touch; anything else is said to be within noise, with both medians. A run
 * of one round has no range, and the line says so. */
#include "bench/compare.h"
#include "bench/json.h"
#include "bench/report.h"

#include <math.h>
#include <string.h>

static const json_t *result_of(const json_t *root, const char *label) {
    size_t i;
    json_t *at;
    json_array_foreach(json_object_get(root, "results"), i, at) {
        const char *name = json_string_value(json_object_get(at, "label"));
        if (name && !strcmp(name, label))
            return at;
    }
    return NULL;
}

static idb_figure figure_of(const json_t *json, bool *one_round) {
    *one_round =
        *one_round || json_array_size(json_object_get(json, "rounds")) < 2;
    return (idb_figure){idb_json_get_number(json, "median"),
                        idb_json_get_number(json, "min"),
                        idb_json_get_number(json, "max")};
}

static void line(FILE *to, const char *label, const char *key,
                 const json_t *before, const json_t *after) {
    bool one_round = false;
    idb_figure a = figure_of(before, &one_round);
    idb_figure b = figure_of(after, &one_round);
    if (isnan(a.median) || isnan(b.median))
        return;
    fprintf(to, "%-16s %-16s %12.6g -> %-12.6g ", label, key, a.median,
            b.median);
    bool touch = a.min <= b.max && b.min <= a.max;
    if (touch)
        fprintf(to, "within noise");
    else if (a.median == 0)
        fprintf(to, "changed");
    else
        fprintf(to, "%+.1f %%", 100 * (b.median - a.median) / a.median);
    fprintf(to, "%s\n",
            one_round ? "  (one round: its noise is not known)" : "");
}

static void result_compare(FILE *to, const char *label, json_t *before,
                           const json_t *after) {
    const char *key;
    json_t *at;
    json_object_foreach(before, key, at) {
        const json_t *other = json_object_get(after, key);
        if (other)
            line(to, label, key, at, other);
    }
}

static int compare(FILE *to, const json_t *before, const json_t *after) {
    int both = 0;
    size_t i;
    json_t *at;
    json_array_foreach(json_object_get(before, "results"), i, at) {
        const char *label = json_string_value(json_object_get(at, "label"));
        const json_t *other = label ? result_of(after, label) : NULL;
        if (!other)
            continue;
        result_compare(to, label, json_object_get(at, "figures"),
                       json_object_get(other, "figures"));
        both++;
    }
    if (both == 0)
        fprintf(stderr, "idembench: the two files have no target in common\n");
    return both ? 0 : 1;
}

int idb_compare(FILE *to, const char *before, const char *after) {
    json_t *a = idb_json_load(before);
    json_t *b = a ? idb_json_load(after) : NULL;
    int failed = b ? compare(to, a, b) : 1;
    json_decref(a);
    json_decref(b);
    return failed;
}
