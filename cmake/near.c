/* SPDX-License-Identifier: Apache-2.0 */
/* near.c -- see near.h. */
#include "cmake/near.h"

#include <stdint.h>
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
size_t idem_near(const char *word, const char *name) {
    size_t word_len = strlen(word), name_len = strlen(name);
    if (word_len == 0 || word_len > CHARS_MAX || name_len > CHARS_MAX)
        return SIZE_MAX;
    if (word_len >= 3 && strncmp(word, name, word_len) == 0)
        return 0;
    size_t far = distance(word, word_len, name, name_len);
    return far <= (word_len + 2) / 3 && far < name_len ? far : SIZE_MAX;
}
