/* SPDX-License-Identifier: Apache-2.0 */
/* mistakes.h -- the tables of mistakes.c, and the strangers that some of them
 * meet. */
#ifndef TEST_MISTAKES_H
#define TEST_MISTAKES_H

#include "tests/e2e/harness.h"

#include <stddef.h>

/* A line of shell without single quotes. What there is for it:
 *   $CTL $D $B          the programs
 *   $PLAIN $SECRET $SMALL     ports of daemons: without a secret, with one,
 *                             with little memory and --max-result 4k
 *   $WEB $REDIS $SSH $SILENT $CLOSING     ports of strangers
 *   $DIR                secret, open (readable by all), none (no bytes), large;
 *                       data folders kept, flipped, cut, headless, foreign,
 *                       empty, closed
 *   $AS_NOBODY          runs what follows as a user without rights */
typedef struct mistake {
    const char *line;
    int code;
    const char *fault; /* what is said of it */
    const char *cure;  /* what is said to do; NULL: the fault says it */
} mistake;

extern const mistake mistakes_ctl[], mistakes_daemon[], mistakes_bench[];
extern const size_t mistakes_ctl_count, mistakes_daemon_count,
    mistakes_bench_count;

/* Starts the strangers, which end with this program, and sets their ports in
 * the environment. */
void mistakes_strangers_start(void);

#endif
