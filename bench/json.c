/* SPDX-License-Identifier: Apache-2.0 */
/* json.c -- see json.h. */
#include "bench/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (64 << 20)

void idb_json_text(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 32 || c == '<' || c > 126)
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

void idb_json_number(FILE *to, double value) {
    if (isfinite(value))
        fprintf(to, "%.9g", value);
    else
        fputs("null", to);
}

json_t *idb_json_load(const char *path) {
    json_error_t error;
    struct stat seen;
    if (stat(path, &seen) != 0) {
        fprintf(stderr, "idembench: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    if (seen.st_size > FILE_BYTES_MAX) {
        fprintf(stderr, "idembench: %s: over %d bytes, no report is so large\n",
                path, FILE_BYTES_MAX);
        return NULL;
    }
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fprintf(stderr, "idembench: %s:%d: no JSON: %s\n", path, error.line,
                error.text);
    return root;
}

double idb_json_get_number(const json_t *object, const char *name) {
    const json_t *number = json_object_get(object, name);
    return json_is_number(number) ? json_number_value(number) : (double)NAN;
}
