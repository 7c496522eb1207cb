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

static const idb_json *result_of(const idb_json *root, const char *label) {
    const idb_json *results = idb_json_get(root, "results");
    for (const idb_json *at = results ? results->first : NULL; at;
         at = at->next) {
        const char *name = idb_json_get_text(at, "label");
        if (name && !strcmp(name, label))
            return at;
    }
    return NULL;
}

static idb_figure figure_of(const idb_json *json, bool *one_round) {
    const idb_json *rounds = idb_json_get(json, "rounds");
    *one_round = *one_round || !rounds || rounds->count < 2;
    return (idb_figure){idb_json_get_number(json, "median"),
                        idb_json_get_number(json, "min"),
                        idb_json_get_number(json, "max")};
}

static void line(FILE *to, const char *label, const char *key,
                 const idb_json *before, const idb_json *after) {
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

static void result_compare(FILE *to, const idb_json *before,
                           const idb_json *after) {
    const char *label = idb_json_get_text(before, "label");
    const idb_json *figures = idb_json_get(before, "figures");
    const idb_json *others = idb_json_get(after, "figures");
    for (const idb_json *at = figures ? figures->first : NULL; at;
         at = at->next) {
        const idb_json *other = idb_json_get(others, at->name);
        if (other)
            line(to, label, at->name, at, other);
    }
}

static int compare(FILE *to, const idb_json *before, const idb_json *after) {
    int both = 0;
    const idb_json *results = idb_json_get(before, "results");
    for (const idb_json *at = results ? results->first : NULL; at;
         at = at->next) {
        const char *label = idb_json_get_text(at, "label");
        const idb_json *other = label ? result_of(after, label) : NULL;
        if (!other)
            continue;
        result_compare(to, at, other);
        both++;
    }
    if (both == 0)
        fprintf(stderr, "idembench: the two files have no target in common\n");
    return both ? 0 : 1;
}

int idb_compare(FILE *to, const char *before, const char *after) {
    idb_json_doc *a = idb_json_load(before);
    idb_json_doc *b = a ? idb_json_load(after) : NULL;
    int failed = 1;
    if (b)
        failed = compare(to, idb_json_root(a), idb_json_root(b));
    idb_json_free(a);
    idb_json_free(b);
    return failed;
}
