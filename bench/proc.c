/* SPDX-License-Identifier: Apache-2.0 */
/* proc.c -- see proc.h. */
#include "bench/proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t tick_ns(void) {
    return 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t ticks_ns(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    /* The name may hold anything, so count from its closing bracket. */
    const char *at = strrchr(text, ')');
    uint64_t user = 0, system = 0;
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
                      " %" SCNu64,
                      &user, &system) != 2)
        return 0;
    return (user + system) * tick_ns();
}

/* The sums over its threads of what schedstat says: time on a CPU, and time
 * spent waiting for one. */
typedef struct times {
    uint64_t ran_ns, waited_ns;
} times;

static void times_add(const char *path, times *sum) {
    uint64_t ran_ns, waited_ns;
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &ran_ns, &waited_ns) == 2) {
        sum->ran_ns += ran_ns;
        sum->waited_ns += waited_ns;
    }
    fclose(file);
}

static times times_of(pid_t pid) {
    char path[320];
    times sum = {0};
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = pid > 0 ? opendir(path) : NULL;
    if (!tasks)
        return sum;
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid,
                 task->d_name);
        times_add(path, &sum);
    }
    closedir(tasks);
    return sum;
}

uint64_t idb_proc_cpu_ns(pid_t pid) {
    uint64_t ran_ns = times_of(pid).ran_ns;
    return ran_ns || pid <= 0 ? ran_ns : ticks_ns(pid);
}

uint64_t idb_proc_waited_ns(pid_t pid) {
    return times_of(pid).waited_ns;
}

uint64_t idb_proc_stolen_ns(void) {
    uint64_t ticks = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (!file)
        return 0;
    if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &ticks) != 1)
        ticks = 0;
    fclose(file);
    return ticks * tick_ns();
}

uint64_t idb_proc_cpu_all_ns(pid_t pid) {
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 ||
        clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

uint64_t idb_proc_rss_bytes(pid_t pid) {
    char path[64];
    uint64_t pages = 0, rss = 0;
    if (pid <= 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &pages, &rss) != 2)
        rss = 0;
    fclose(file);
    return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}
