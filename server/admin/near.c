/* SPDX-License-Identifier: Apache-2.0 */
/* near.c -- did you mean: the flag that is nearest to one that there isn't. */
#include "server/admin/near.h"

#include "cmake/near.h"

#include <stdint.h>
#include <string.h>

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

static const char *bare(const char *flag) {
    return flag + strspn(flag, "-");
}

const ids_config_row *ids_nearest_row(const char *flag) {
    const char *other = other_word(flag);
    size_t best_far = SIZE_MAX, count;
    const ids_config_row *best = NULL, *rows = ids_config_rows(&count);
    if (other)
        return ids_config_find(other, strlen(other));
    for (size_t i = 0; i < count; i++) {
        size_t far = idem_near(bare(flag), bare(rows[i].name));
        if (far < best_far)
            best = &rows[i], best_far = far;
    }
    return best;
}
