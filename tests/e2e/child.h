/* SPDX-License-Identifier: Apache-2.0 */
/* child.h -- programs that a test starts: their output goes to a log file, and
 * they die with the test, however it ends. */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct child {
    pid_t pid; /* 0: not running */
    char name[32];
    char log_path[512];
} child;

/* argv ends with NULL; its first entry is the program (PATH is searched). The
 * log is appended to. */
bool child_start(child *one, const char *name, const char *dir,
                 char *const argv[]);

/* Waits until its log names a port ("127.0.0.1:7117"); 0 when it died, or
 * none came in time. A log that an earlier run wrote to is no use here. */
uint16_t child_port(const child *one);

/* Waits until something listens there; false when the child died. */
bool child_listens(child *one, uint16_t port);

/* True, once, when it has ended by itself. */
bool child_ended(child *one, int *status);

/* Waits for its end, at most this long. */
bool child_wait(child *one, int *status, unsigned seconds_max);

/* SIGTERM, then SIGKILL when it takes too long. Fine when not running. */
void child_stop(child *one);

void child_print_log(const child *one);

#endif
