/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.c -- see interrupt.h. */
#include "bench/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void note_signal(int number) {
    (void)number;
    interrupted = 1;
}

void idb_interrupt_catch(void) {
    struct sigaction first = {.sa_handler = note_signal,
                              .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&first.sa_mask);
    sigaction(SIGINT, &first, NULL);
}

bool idb_interrupted(void) {
    return interrupted;
}
