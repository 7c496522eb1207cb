/* SPDX-License-Identifier: Apache-2.0 */
/* file.c -- see file.h. */
#include "server/access/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why the file is none that holds credentials; false: it may be. */
static bool is_unfit(int fd, char *why, size_t why_cap) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        snprintf(why, why_cap, "%s", strerror(errno));
    else if (S_ISDIR(about.st_mode))
        snprintf(why, why_cap, "it is a folder");
    else if (about.st_mode & (S_IRWXO | S_IWGRP))
        snprintf(why, why_cap,
                 "it may be read by others, or written by its group (mode "
                 "%04o): chmod 600 or 640",
                 (unsigned)about.st_mode & 07777);
    else
        return false;
    return true;
}

/* One byte more than a file may have, so that a larger one is seen. False: why.
 */
static bool read_credentials_text(int fd, char *to, size_t *len, char *why,
                                  size_t why_cap) {
    for (*len = 0; *len <= IDS_CREDENTIALS_BYTES_MAX;) {
        ssize_t got = read(fd, to + *len, IDS_CREDENTIALS_BYTES_MAX + 1 - *len);
        if (got == 0)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            snprintf(why, why_cap, "%s", strerror(errno));
            return false;
        }
        *len += (size_t)got;
    }
    return true;
}

static ids_credentials *load_from(int fd, char *why, size_t why_cap) {
    ids_credentials *read = NULL;
    size_t len;
    char *text = malloc(IDS_CREDENTIALS_BYTES_MAX + 1);
    if (!text)
        snprintf(why, why_cap, "there is no memory for it");
    else if (!is_unfit(fd, why, why_cap) &&
             read_credentials_text(fd, text, &len, why, why_cap))
        read = ids_credentials_parse(text, len, why, why_cap);
    free(text);
    return read;
}

/* "line 3: ..." becomes "FILE:3: ...". */
static void name_file(const char *path, const char *what, char *why,
                      size_t why_cap) {
    const char *colon = strchr(what, ':');
    if (strncmp(what, "line ", 5) == 0 && colon)
        snprintf(why, why_cap, "%.200s:%.*s%s", path, (int)(colon - what - 5),
                 what + 5, colon);
    else
        snprintf(why, why_cap, "%.200s: %s", path, what);
}

ids_credentials *ids_credentials_load(const char *path, char *why,
                                      size_t why_cap) {
    char what[320];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        name_file(path, strerror(errno), why, why_cap);
        return NULL;
    }
    ids_credentials *read = load_from(fd, what, sizeof what);
    close(fd);
    if (!read)
        name_file(path, what, why, why_cap);
    return read;
}
