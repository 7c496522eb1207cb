/* SPDX-License-Identifier: Apache-2.0 */
/* near.c -- did you mean: the flag that is nearest to one that there isn't. */
#include "server/near.h"

#include <string.h>

#define CHARS_MAX 24

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many characters have to be put in, taken out or changed. */
static size_t distance(const char *a, size_t a_len, const char *b,
                       size_t b_len) {
    size_t row[CHARS_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least(corner + (a[i - 1] != b[j - 1]),
                           least(above, row[j - 1]) + 1);
            corner = above;
        }
    }
    return row[b_len];
}

/* What other servers call it. */
static const char *other_word(const char *flag) {
    static const char *const pairs[][2] = {
        {"--port", "--listen"},
        {"--bind", "--listen"},
        {"--address", "--listen"},
        {"--host", "--listen"},
        {"--dir", "--data-dir"},
        {"--db", "--data-dir"},
        {"--requirepass", "--secret-file"},
        {"--password", "--secret-file"},
        {"--replicaof", "--replicate-from"},
        {"--slaveof", "--replicate-from"},
        {"--appendfsync", "--fsync"},
        {"--io-threads", "--threads"},
        {"--maxclients", "--max-connections"},
        {"--verbose", "--log-level"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(flag, pairs[i][0]) == 0)
            return pairs[i][1];
    return NULL;
}

const char *ids_nearest_flag(const char *flag) {
    const char *best = other_word(flag);
    size_t count, len = strlen(flag), best_far = len / 4 + 1;
    const ids_config_row *rows = ids_config_rows(&count);
    if (len > CHARS_MAX || best != NULL)
        return best;
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(rows[i].name);
        size_t far = name_len > CHARS_MAX
                         ? best_far
                         : distance(flag, len, rows[i].name, name_len);
        if (far < best_far)
            best = rows[i].name, best_far = far;
    }
    return best;
}
