/* SPDX-License-Identifier: Apache-2.0 */
/* series.c -- see the header. The labels of this server's metrics have no quote
 * and no brace in their values. */
#include "client/ctl/series.h"

#include <stdlib.h>
#include <string.h>

/* A line without its end; false: it is no sample. */
static bool read_series_line(const char *line, size_t len, series *one) {
    *one = (series){.name = line};
    one->family_len = strcspn(line, "{ \n");
    const char *space = memchr(line, ' ', len);
    const char *open = memchr(line, '{', len);
    if (line[0] == '#' || one->family_len == 0 || space == NULL)
        return false;
    if (open != NULL && open < space) {
        const char *close = memchr(open, '}', (size_t)(line + len - open));
        if (close == NULL || close[1] != ' ')
            return false;
        one->labels = open + 1;
        one->labels_len = (size_t)(close - open - 1);
        space = close + 1;
    }
    one->name_len = (size_t)(space - line);
    char *end;
    one->value = strtod(space + 1, &end);
    return end != space + 1;
}

bool series_next(const char **at, series *one) {
    while (**at != '\0') {
        const char *line = *at;
        size_t len = strcspn(line, "\n");
        *at = line + len + (line[len] == '\n');
        if (read_series_line(line, len, one))
            return true;
    }
    return false;
}

bool series_label(const series *one, const char *label, const char **value,
                  size_t *len) {
    size_t label_len = strlen(label);
    const char *at = one->labels;
    const char *end = at + one->labels_len;
    while (at != NULL && at < end) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals == NULL || equals + 1 >= end || equals[1] != '"')
            return false;
        const char *close = memchr(equals + 2, '"', (size_t)(end - equals - 2));
        if (close == NULL)
            return false;
        if ((size_t)(equals - at) == label_len &&
            memcmp(at, label, label_len) == 0) {
            *value = equals + 2;
            *len = (size_t)(close - equals - 2);
            return true;
        }
        at = close + 1 < end && close[1] == ',' ? close + 2 : end;
    }
    return false;
}
