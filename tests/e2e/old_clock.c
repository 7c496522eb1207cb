/* SPDX-License-Identifier: Apache-2.0 */
/* old_clock.c -- a library that sets the machine's clock back: preloaded, the
 * wall clock is OLD_CLOCK_S seconds behind. Other clocks are as they are. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*clock_gettime_fn)(clockid_t, struct timespec *);

int clock_gettime(clockid_t id, struct timespec *to) {
    static clock_gettime_fn real;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, to);
    const char *back_s = getenv("OLD_CLOCK_S");
    if (code == 0 && id == CLOCK_REALTIME && back_s)
        to->tv_sec -= strtol(back_s, NULL, 10);
    return code;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}
