/* SPDX-License-Identifier: Apache-2.0 */
/* tight_disk.c -- a library that makes a disk look full: preloaded, what the
 * system says is free is what the file $TIGHT_DISK says, in bytes, if there
 * is one. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

typedef int (*fstatvfs_fn)(int, struct statvfs *);

int fstatvfs(int fd, struct statvfs *about) {
    const char *path = getenv("TIGHT_DISK");
    fstatvfs_fn original = (fstatvfs_fn)dlsym(RTLD_NEXT, "fstatvfs");
    if (!original)
        abort();
    int error = original(fd, about);
    FILE *file = path && !error ? fopen(path, "re") : NULL;
    unsigned long long bytes;
    if (!file)
        return error;
    if (fscanf(file, "%llu", &bytes) == 1)
        about->f_bavail = bytes / about->f_frsize;
    fclose(file);
    return 0;
}
