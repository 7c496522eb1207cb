/* SPDX-License-Identifier: Apache-2.0 */
/* config_read.c -- a settings file's bytes; see config_read.h. */
#include "server/admin/config_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One byte more than is good tells that there is more. */
#define READ_BYTES ((size_t)IDS_CONFIG_FILE_BYTES_MAX + 1)

static bool check_file(int fd, ids_config_fault *fault) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return ids_config_fault_at(fault, 0, "%s", strerror(errno));
    if (S_ISDIR(about.st_mode))
        return ids_config_fault_at(fault, 0, "is a folder, not a file");
    if (!S_ISREG(about.st_mode))
        return ids_config_fault_at(fault, 0, "is not a plain file");
    if (about.st_mode & S_IWOTH)
        return ids_config_fault_at(fault, 0,
                                   "everybody may write it (mode %04o): "
                                   "chmod o-w, and look what stands in it",
                                   (unsigned)about.st_mode & 07777);
    return true;
}

static bool read_bytes(int fd, char *to, size_t *len, ids_config_fault *fault) {
    *len = 0;
    while (*len < READ_BYTES) {
        ssize_t got = read(fd, to + *len, READ_BYTES - *len);
        if (got == 0)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ids_config_fault_at(fault, 0, "%s", strerror(errno));
        *len += (size_t)got;
    }
    return true;
}

char *ids_config_read(const char *path, size_t *len, ids_config_fault *fault) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        ids_config_fault_at(fault, 0, "%s", strerror(errno));
        return NULL;
    }
    char *text = malloc(READ_BYTES);
    bool good = text ? check_file(fd, fault) && read_bytes(fd, text, len, fault)
                     : ids_config_fault_at(fault, 0, "no memory to read it");
    close(fd);
    if (good)
        return text;
    free(text);
    return NULL;
}

void ids_config_read_complain(const char *path, const ids_config_fault *fault,
                              ids_complaint *complaint) {
    char line[16] = "";
    if (fault->line)
        snprintf(line, sizeof line, ":%u", fault->line);
    complaint->layer = IDS_BY_FILE;
    snprintf(complaint->why, sizeof complaint->why, "%.400s%s: %s", path, line,
             fault->what);
}
