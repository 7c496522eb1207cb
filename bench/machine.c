/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c -- see machine.h. Asks /proc and each program's --version. */
#include "bench/machine.h"
#include "bench/spawn.h"

#include <sys/utsname.h>
#include <unistd.h>

static void trim_line(char *text) {
    text[strcspn(text, "\n")] = '\0';
}

void idb_machine_date(char *to, size_t cap) {
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(to, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void idb_machine_cpu(char *to, size_t cap) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    to[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        snprintf(to, cap, "%s", value + 2);
        trim_line(to);
        size_t len = strlen(to);
        snprintf(to + len, cap - len, ", %ld cores",
                 sysconf(_SC_NPROCESSORS_ONLN));
        break;
    }
    if (file)
        fclose(file);
}

void idb_machine_kernel(char *to, size_t cap) {
    struct utsname name;
    to[0] = '\0';
    if (uname(&name) == 0)
        snprintf(to, cap, "%s %s", name.sysname, name.release);
}

void idb_machine_version(const idb_options *options, const idb_target *target,
                         char *to, size_t cap) {
    char command[4200], path[4096] = "";
    to[0] = '\0';
    if (!strcmp(target->name, "idem")) {
        idb_server_path(options, path, sizeof path);
        snprintf(command, sizeof command, "'%s' --version 2>/dev/null", path);
    } else if (!strncmp(target->name, "redis", 5)) {
        snprintf(command, sizeof command, "redis-server --version 2>&1");
    } else if (!strcmp(target->name, "memcached")) {
        snprintf(command, sizeof command, "memcached -V 2>&1");
    } else {
        return;
    }
    FILE *said = strchr(path, '\'') ? NULL : popen(command, "r");
    if (said && !fgets(to, (int)cap, said))
        to[0] = '\0';
    if (said)
        pclose(said);
    trim_line(to);
    char *more = strstr(to, " sha="); /* Redis goes on at length */
    if (more)
        *more = '\0';
}
