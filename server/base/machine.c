/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c -- what this machine, or the cage we run in, has to offer. */
#include "server/base/machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_BYTES 4096

uint32_t ids_machine_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static uint64_t least_of(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The number in a file; UINT64_MAX for "max", or when there is none. */
static uint64_t number_in(const char *path) {
    uint64_t number = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    char text[64];
    if (fgets(text, sizeof text, file) && text[0] >= '0' && text[0] <= '9')
        number = strtoull(text, NULL, 10);
    fclose(file);
    return number;
}

/* The limits of our group and of every group around it. */
static uint64_t limit_up_the_tree(const char *root, char *group,
                                  const char *name) {
    uint64_t limit = UINT64_MAX;
    for (;;) {
        char path[PATH_BYTES + 128];
        snprintf(path, sizeof path, "%s%s/%s", root, group, name);
        limit = least_of(limit, number_in(path));
        char *slash = strrchr(group, '/');
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup is "hierarchy:controllers:/our/group"; version
 * two has no controllers there. */
static uint64_t limit_of_line(char *line) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    *group++ = '\0';
    controllers++;
    if (!*controllers)
        return limit_up_the_tree("/sys/fs/cgroup", group, "memory.max");
    if (strcmp(controllers, "memory") != 0)
        return UINT64_MAX;
    return limit_up_the_tree("/sys/fs/cgroup/memory", group,
                             "memory.limit_in_bytes");
}

static uint64_t cgroup_limit(void) {
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return UINT64_MAX;
    char line[PATH_BYTES];
    while (fgets(line, sizeof line, file))
        limit = least_of(limit, limit_of_line(line));
    fclose(file);
    return limit;
}

uint64_t ids_machine_memory_bytes(void) {
    long count = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    uint64_t bytes = UINT64_MAX;
    if (count > 0 && size > 0)
        bytes = (uint64_t)count * (uint64_t)size;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        bytes = least_of(bytes, limit.rlim_cur);
    return least_of(bytes, cgroup_limit());
}

/* Without /proc: the lowest number that is free, as if there were no gaps. */
static uint64_t lowest_free(void) {
    int fd = open("/", O_PATH | O_CLOEXEC);
    if (fd < 0)
        return 0;
    close(fd);
    return (uint64_t)fd + 1;
}

uint64_t ids_machine_open_descriptors(void) {
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return lowest_free();
    for (const struct dirent *at; (at = readdir(folder)) != NULL;)
        count += at->d_name[0] != '.';
    closedir(folder);
    return count;
}

uint64_t ids_machine_raise_descriptors(uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    struct rlimit raised = limit;
    raised.rlim_cur = least_of(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return raised.rlim_cur;
    return limit.rlim_cur;
}
