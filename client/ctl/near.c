/* SPDX-License-Identifier: Apache-2.0 */
/* near.c -- did you mean: the nearest of some names to a word that is none of
 * them. Pure. */
#include "client/ctl/ctl.h"

#include <string.h>

#define CHARS_MAX 24

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many characters have to be put in, taken out, changed or swapped with
 * their neighbour. */
static size_t distance(const char *a, size_t a_len, const char *b,
                       size_t b_len) {
    size_t rows[3][CHARS_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
                           least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

/* A third of the letters may be wrong; or it is the name's beginning. */
static size_t how_far(const char *word, const char *name) {
    size_t word_len = strlen(word), name_len = strlen(name);
    if (word_len == 0 || word_len > CHARS_MAX || name_len > CHARS_MAX)
        return SIZE_MAX;
    if (word_len >= 3 && strncmp(word, name, word_len) == 0)
        return 0;
    size_t far = distance(word, word_len, name, name_len);
    return far <= (word_len + 2) / 3 && far < name_len ? far : SIZE_MAX;
}

/* What others call it. */
static const char *other_word(const char *word) {
    static const char *const pairs[][2] = {{"get", "peek"},
                                           {"show", "peek"},
                                           {"exists", "peek"},
                                           {"set", "acquire"},
                                           {"setnx", "acquire"},
                                           {"lock", "acquire"},
                                           {"claim", "acquire"},
                                           {"begin", "acquire"},
                                           {"commit", "complete"},
                                           {"done", "complete"},
                                           {"finish", "complete"},
                                           {"unlock", "release"},
                                           {"abort", "release"},
                                           {"rollback", "release"},
                                           {"del", "release"},
                                           {"delete", "release"},
                                           {"extend", "renew"},
                                           {"keepalive", "renew"},
                                           {"info", "stats"},
                                           {"metrics", "stats"},
                                           {"status", "replication"},
                                           {"role", "replication"},
                                           {"failover", "switchover"},
                                           {"save", "snapshot"},
                                           {"bgsave", "snapshot"},
                                           {"fsck", "check"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(word, pairs[i][0]) == 0)
            return pairs[i][1];
    return NULL;
}

const char *ctl_nearest_command(const char *word) {
    const char *best = other_word(word);
    size_t best_far = best != NULL ? 0 : SIZE_MAX;
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++) {
        size_t far = how_far(word, row->name);
        if (far < best_far)
            best = row->name, best_far = far;
    }
    return best;
}

const char *ctl_nearest_option(const char *word, const ctl_command *command) {
    const char *best = NULL;
    size_t best_far = SIZE_MAX;
    for (const ctl_option *row = ctl_options; row->name != NULL; row++) {
        size_t far = how_far(word, row->name);
        bool fits = command == NULL || ctl_option_fits(row, command);
        if (fits && far < best_far)
            best = row->name, best_far = far;
    }
    return best;
}
