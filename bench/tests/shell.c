/* SPDX-License-Identifier: Apache-2.0 */
/* shell.c -- see shell.h. */
#include "bench/tests/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

const char *shell(int *status, const char *format, ...) {
    static char said[1 << 20];
    char line[4096], joined[4200];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    snprintf(joined, sizeof joined, "{ %s; } 2>&1", line);
    FILE *from = popen(joined, "r");
    size_t len = from ? fread(said, 1, sizeof said - 1, from) : 0;
    int ended = from ? pclose(from) : -1;
    said[len] = '\0';
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    return said;
}

bool shell_has(const char *program) {
    int status;
    shell(&status, "command -v %s", program);
    return status == 0;
}

void holds(bool condition, const char *what, const char *in) {
    if (condition)
        return;
    fprintf(stderr, "does not hold: %s\n---\n%s\n", what, in);
    exit(1);
}
