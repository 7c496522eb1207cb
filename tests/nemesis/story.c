/* SPDX-License-Identifier: Apache-2.0 */
/* story.c -- what a run tells, a line each. */
#include "tests/nemesis/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

static void tell(const nem_world *w, const char *format, va_list args) {
    double at = (double)(nem_now_ns() - w->start_ns) / 1e9;
    printf("[%8.3f] ", at);
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
}

void nem_say(nem_world *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell(w, format, args);
    va_end(args);
}

bool nem_fail(nem_world *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("FAILED:\n");
    tell(w, format, args);
    va_end(args);
    if (!w->failed)
        for (int i = 0; i < 2; i++)
            nem_node_tell(&w->pair, i);
    w->failed = true;
    return false;
}

void nem_wait_ms(unsigned ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000,
                                 .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

unsigned nem_between(nem_world *w, unsigned low, unsigned high) {
    return idt_rng_between(&w->rng, low, high);
}
