/* SPDX-License-Identifier: Apache-2.0 */
/* proc.c -- see proc.h. */
#include "bench/proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
    return (user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t idb_proc_cpu_ns(pid_t pid) {
    char path[320];
    uint64_t sum = 0, ns;
    if (pid <= 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return 0;
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid,
                 task->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%" SCNu64, &ns) == 1)
            sum += ns;
        fclose(file);
    }
    closedir(tasks);
    return sum ? sum : ticks_ns(pid);
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
