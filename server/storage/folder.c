/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c -- see folder.h. */
#include "server/storage/folder.h"

#include "server/journal/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_CHARS_MAX 64

/* What may be in a folder that was never used: a file system's own, and what
 * a start makes that came to no manifest. */
static bool is_nothing(const char *name) {
    static const char *const names[] = {".", "..", "lost+found", ".snapshot",
                                        IDS_NAME_LOCK};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "peer", 4) == 0; /* decisions, see --peer-state */
}

static ids_folder look_through(DIR *folder, char *why, size_t why_cap) {
    ids_folder is = IDS_FOLDER_EMPTY;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        ids_name name;
        if (ids_name_parse(entry->d_name, &name) != IDS_NAME_OTHER)
            return IDS_FOLDER_OURS;
        if (is_nothing(entry->d_name) || is == IDS_FOLDER_FOREIGN)
            continue;
        is = IDS_FOLDER_FOREIGN;
        snprintf(why, why_cap,
                 "it is no data folder of idemstored, and not empty: it has "
                 "%.60s; name an empty folder, or one that isn't there yet",
                 entry->d_name);
    }
    return is;
}

ids_folder ids_folder_look(const char *path, char *why, size_t why_cap) {
    DIR *folder = opendir(path);
    if (folder == NULL && errno == ENOENT)
        return IDS_FOLDER_NONE;
    if (folder == NULL) {
        snprintf(why, why_cap, "%s", strerror(errno));
        return IDS_FOLDER_FAULT;
    }
    ids_folder is = look_through(folder, why, why_cap);
    closedir(folder);
    return is;
}

/* The second line: the first is the folder's counter. */
static pid_t signed_by(int lock) {
    char text[LOCK_CHARS_MAX] = "";
    ssize_t got = pread(lock, text, sizeof text - 1, 0);
    const char *second = got > 0 ? strchr(text, '\n') : NULL;
    long pid = second != NULL ? strtol(second + 1, NULL, 10) : 0;
    return pid > 0 ? (pid_t)pid : -1;
}

pid_t ids_folder_holder(const char *path) {
    char name[4096];
    snprintf(name, sizeof name, "%s/%s", path, IDS_NAME_LOCK);
    int lock = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0)
        return 0;
    pid_t holder = 0;
    if (flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        holder = signed_by(lock);
    close(lock);
    return holder;
}
