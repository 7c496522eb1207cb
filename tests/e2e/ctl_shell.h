/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_shell.h -- shell lines about idemctl ($CTL), and what they say. What is
 * not as it should be ends the test. */
#ifndef TEST_CTL_SHELL_H
#define TEST_CTL_SHELL_H

#include "tests/e2e/harness.h"

/* Starts the daemon; from now on $CTL asks it, in this namespace. */
void ctl_start(daemon_t *daemon, const daemon_spec *spec, const char *ctl,
               const char *ns);

/* What the last line wrote. */
#define CTL_OUTPUT_BYTES_MAX (256 * 1024)
extern char ctl_output[CTL_OUTPUT_BYTES_MAX];

/* Runs a shell line; returns its exit code. */
int ctl_shell(const char *line);

/* The line ends with this code, and says this on stdout or stderr. */
void ctl_says(int code, const char *text, const char *line);

/* The line's stdout is one object; a field of it, as text: a string's own,
 * else "null", "true", "false", "number" or "?". */
const char *ctl_json(int code, const char *field, const char *line);
void ctl_json_is(int code, const char *field, const char *value,
                 const char *line);

#endif
