/* SPDX-License-Identifier: Apache-2.0 */
/* slow_sync.c -- a library that is preloaded: as long as the file that
 * SLOW_SYNC names is there, no fdatasync comes to its end. The first that
 * waits makes another file beside it, with .busy at its end. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int file) {
    static int (*real)(int);
    const char *gate = getenv("SLOW_SYNC");
    char busy[512];
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    if (gate && access(gate, F_OK) == 0) {
        snprintf(busy, sizeof busy, "%s.busy", gate);
        int made = open(busy, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (made >= 0)
            close(made);
        while (access(gate, F_OK) == 0)
            usleep(1000);
    }
    return real(file);
}
