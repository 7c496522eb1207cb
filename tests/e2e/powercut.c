/* SPDX-License-Identifier: Apache-2.0 */
/* powercut.c -- a library that makes every kill a power cut: preloaded, it
 * holds back what the program writes until the program syncs it.
 *
 * What is written lies in the process's own memory, so it dies with it. Only
 * pwrite, fdatasync, fsync and close are seen, which is how the journal
 * works; whatever else writes (log lines, sockets) is not touched. What is
 * closed without a sync is lost. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct held {
    struct held *next;
    off_t at;
    size_t len;
    char bytes[];
} held;

enum { FILES_MAX = 4096 };

static struct { held *first, *last; } files[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef int (*int_fn)(int);

static void *original(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static int is_held(int fd) {
    struct stat about;
    return fd >= 0 && fd < FILES_MAX && fstat(fd, &about) == 0 &&
           S_ISREG(about.st_mode);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at);

/* Once, so that nobody takes for a power cut what is none. */
static void say_so(void) {
    static const char text[] = "powercut: writes are held back\n";
    static int said;
    pthread_mutex_lock(&lock);
    if (!said && write(STDERR_FILENO, text, sizeof text - 1) > 0)
        said = 1;
    pthread_mutex_unlock(&lock);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    if (!is_held(fd))
        return ((pwrite_fn)original("pwrite"))(fd, bytes, len, at);
    say_so();
    held *h = malloc(sizeof *h + len);
    if (!h) {
        errno = ENOMEM;
        return -1;
    }
    *h = (held){.at = at, .len = len};
    memcpy(h->bytes, bytes, len);
    pthread_mutex_lock(&lock);
    if (files[fd].last)
        files[fd].last->next = h;
    else
        files[fd].first = h;
    files[fd].last = h;
    pthread_mutex_unlock(&lock);
    return (ssize_t)len;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at) {
    return pwrite(fd, bytes, len, at);
}

static held *take_all(int fd) {
    pthread_mutex_lock(&lock);
    held *first = files[fd].first;
    files[fd].first = files[fd].last = NULL;
    pthread_mutex_unlock(&lock);
    return first;
}

static int let_through(int fd) {
    pwrite_fn write_it = (pwrite_fn)original("pwrite");
    int good = 1;
    for (held *h = take_all(fd), *next; h; h = next) {
        next = h->next;
        good = good && write_it(fd, h->bytes, h->len, h->at) == (ssize_t)h->len;
        free(h);
    }
    return good ? 0 : -1;
}

int fdatasync(int fd) {
    if (is_held(fd) && let_through(fd) < 0)
        return -1;
    return ((int_fn)original("fdatasync"))(fd);
}

int fsync(int fd) {
    if (is_held(fd) && let_through(fd) < 0)
        return -1;
    return ((int_fn)original("fsync"))(fd);
}

int close(int fd) {
    if (is_held(fd))
        for (held *h = take_all(fd), *next; h; h = next) {
            next = h->next;
            free(h);
        }
    return ((int_fn)original("close"))(fd);
}
