/* SPDX-License-Identifier: Apache-2.0 */
/* near.c -- did you mean: the nearest of some names to a word that is none of
 * them. Pure. */
#include "cmake/near.h"
#include "client/ctl/ctl.h"

#include <string.h>

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
                                           {"exec", "run"},
                                           {"once", "run"},
                                           {"cron", "run"},
                                           {"top", "stats"},
                                           {"histogram", "latency"},
                                           {"percentiles", "latency"},
                                           {"size", "estimate"},
                                           {"sizing", "estimate"},
                                           {"status", "replication"},
                                           {"role", "replication"},
                                           {"quota", "namespaces"},
                                           {"quotas", "namespaces"},
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
        size_t far = idem_near(word, row->name);
        if (far < best_far)
            best = row->name, best_far = far;
    }
    return best;
}

const char *ctl_nearest_option(const char *word, const ctl_command *command) {
    const char *best = NULL;
    size_t best_far = SIZE_MAX;
    for (const ctl_option *row = ctl_options; row->name != NULL; row++) {
        size_t far = idem_near(word, row->name);
        bool fits = command == NULL || ctl_option_fits(row, command);
        if (fits && far < best_far)
            best = row->name, best_far = far;
    }
    return best;
}
