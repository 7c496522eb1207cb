/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c -- see folder.h. Touches nothing outside the folders it made. */
#include "bench/folder.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define TMPFS 0x01021994
#define RAMFS 0x858458f6
#define DEPTH 16

const char *idb_folder_make(const char *in, char *to, size_t cap) {
    char whole[PATH_MAX];
    int len = -1;
    if (realpath(in, whole))
        len = snprintf(to, cap, "%s/idembench-XXXXXX", whole);
    if (len < 0 || (size_t)len >= cap || !mkdtemp(to)) {
        to[0] = '\0';
        return "cannot make a folder in --data-in";
    }
    return NULL;
}

static int drop(const char *path, const struct stat *stat, int kind,
                struct FTW *walk) {
    (void)stat;
    (void)kind;
    (void)walk;
    remove(path);
    return 0;
}

void idb_folder_remove(const char *folder) {
    if (folder[0])
        nftw(folder, drop, DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

uint64_t idb_folder_bytes(const char *folder, const char *prefix) {
    char path[IDB_FOLDER_BYTES + 300];
    struct stat stat_of;
    uint64_t sum = 0;
    DIR *files = opendir(folder);
    if (!files)
        return 0;
    for (struct dirent *file; (file = readdir(files));) {
        if (strncmp(file->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        if (stat(path, &stat_of) == 0)
            sum += (uint64_t)stat_of.st_size;
    }
    closedir(files);
    return sum;
}

/* One line of mountinfo: "ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS... - TYPE
 * SOURCE ...". */
static bool mount_read(const char *line, dev_t device, char *to, size_t cap) {
    unsigned major_of, minor_of;
    char type[64], source[256];
    const char *dash = strstr(line, " - ");
    if (!dash || sscanf(line, "%*d %*d %u:%u", &major_of, &minor_of) != 2 ||
        makedev(major_of, minor_of) != device ||
        sscanf(dash, " - %63s %255s", type, source) != 2)
        return false;
    snprintf(to, cap, "%s (%s)", type, source);
    return true;
}

void idb_folder_disk(const char *folder, char *to, size_t cap) {
    char line[4096], found[400] = "a file system that is not known";
    struct stat at;
    FILE *mounts = fopen("/proc/self/mountinfo", "r");
    if (stat(folder, &at) == 0)
        while (mounts && fgets(line, sizeof line, mounts))
            if (mount_read(line, at.st_dev, found, sizeof found))
                break;
    if (mounts)
        fclose(mounts);
    snprintf(to, cap, "%s at %s", found, folder);
}

bool idb_folder_is_memory(const char *folder) {
    struct statfs at;
    return statfs(folder, &at) == 0 && ((unsigned long)at.f_type == TMPFS ||
                                        (unsigned long)at.f_type == RAMFS);
}
