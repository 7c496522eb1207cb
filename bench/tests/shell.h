/* SPDX-License-Identifier: Apache-2.0 */
/* shell.h -- what the bench's program tests share: run a command line, keep
 * what it says, and say plainly what went wrong. */
#ifndef IDB_TEST_SHELL_H
#define IDB_TEST_SHELL_H

#include <stdbool.h>

/* Runs a line in sh with stderr joined to stdout; its output (static, cut at
 * 1 MiB, NUL-terminated) and exit status (-1: a signal). */
const char *shell(int *status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Is there a program of that name? */
bool shell_has(const char *program);

/* Prints what does not hold, with the text it was looked for in, and exits. */
void holds(bool condition, const char *what, const char *in);

#endif
