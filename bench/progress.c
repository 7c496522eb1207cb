/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c -- the live line on stderr, only for a person at a terminal. */
#include "bench/load.h"

#include <unistd.h>

static struct {
    const char *label;
    uint32_t round, rounds;
    bool shown;
} now;

void idb_progress_target(const char *label, uint32_t round, uint32_t rounds) {
    now.label = label;
    now.round = round;
    now.rounds = rounds;
}

void idb_progress_show(void *ctx, const char *phase, double ops_per_s) {
    (void)ctx;
    if (!isatty(2))
        return;
    char text[32];
    fprintf(stderr, "\r\033[Kround %u/%u  %-16s %-8s %12s ops/s", now.round,
            now.rounds, now.label ? now.label : "", phase,
            idb_figure_text(ops_per_s, 0, text, sizeof text));
    fflush(stderr);
    now.shown = true;
}

void idb_progress_clear(void) {
    if (now.shown)
        fputs("\r\033[K", stderr);
    now.shown = false;
}
