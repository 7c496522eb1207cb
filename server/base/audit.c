/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c -- lines of the audit log on their way out. See audit.h.
 *
 * stderr is what we were given, as log_queue.h says of it: nothing may make it
 * non-blocking. A pipe that poll calls ready takes a line whole, so that the
 * thread does not block in its write; a file never does for long. */
#include "server/base/audit_inner.h"

#include "server/base/log.h"
#include "server/base/monotonic.h"
#include "server/base/thread_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TELLS_MAX 10000

typedef struct entry {
    struct entry *next;
    ids_audit_done *done; /* NULL: nobody waits */
    void *ctx;
    uint64_t since_ms;
    size_t len;
    char bytes[];
} entry;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more, idle;
    pthread_t thread;
    bool has_thread, ends, is_writing, wants_reopen;
    entry *first, **last;
    uint32_t count;
    char node[IDS_AUDIT_NODE_BYTES];
    char *path;
    int fd;
    bool owns_fd;
} audit = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER,
           .idle = PTHREAD_COND_INITIALIZER,
           .fd = -1};

static atomic_bool is_on, hashes_keys;
static atomic_uint_least64_t lost;

bool ids_audit_is_off(void) {
    return !atomic_load_explicit(&is_on, memory_order_acquire);
}

bool ids_audit_hashes_keys(void) {
    return atomic_load_explicit(&hashes_keys, memory_order_relaxed);
}

uint64_t ids_audit_lost(void) {
    return atomic_load_explicit(&lost, memory_order_relaxed);
}

void ids_audit_set_node(const char *node) {
    pthread_mutex_lock(&audit.lock);
    snprintf(audit.node, sizeof audit.node, "%s", node);
    pthread_mutex_unlock(&audit.lock);
}

void ids_audit_node(char to[static IDS_AUDIT_NODE_BYTES]) {
    pthread_mutex_lock(&audit.lock);
    memcpy(to, audit.node, IDS_AUDIT_NODE_BYTES);
    pthread_mutex_unlock(&audit.lock);
}

/* Writing, on the thread ----------------------------------------------------
 */

/* Who stood still the last time is not waited for again. */
static bool stands_still, is_cut;

/* 0: it takes a line now. */
static int wait_for(int fd, uint64_t until_ms) {
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    uint64_t now_ms = ids_monotonic_ms();
    int ms = stands_still || now_ms >= until_ms ? 0 : (int)(until_ms - now_ms);
    int ready = poll(&out, 1, ms);
    if (ready < 0)
        return errno == EINTR ? 0 : errno;
    stands_still = ready == 0;
    return ready == 0 ? ETIMEDOUT : 0;
}

static int write_bytes(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t took = write(fd, bytes, len);
        if (took < 0 && errno == EINTR)
            continue;
        if (took < 0)
            return errno;
        is_cut = bytes[took - 1] != '\n';
        bytes += took;
        len -= (size_t)took;
    }
    return 0;
}

/* A line that was cut off in its middle is ended before the next one. */
static int write_line(int fd, const entry *e) {
    int error = wait_for(fd, e->since_ms + IDS_AUDIT_WAIT_MS);
    if (error == 0 && is_cut)
        error = write_bytes(fd, "\n", 1);
    return error ? error : write_bytes(fd, e->bytes, e->len);
}

static void tell_failure(int error) {
    atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    ids_log(IDS_LOG_ERROR, "the audit log can't be written",
            "reason=\"%s\" lost=%llu todo=\"what is decided now is not on "
            "record; make room, or mend --audit-log\"",
            error == ETIMEDOUT ? "who reads it stands still" : strerror(error),
            (unsigned long long)ids_audit_lost());
}

/* Opening -------------------------------------------------------------------
 */

static int open_audit_file(const char *path) {
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                0600);
}

/* Under the lock. A file that can't be opened anew goes on as it is. */
static void reopen(void) {
    audit.wants_reopen = false;
    if (!audit.owns_fd)
        return;
    int fd = open_audit_file(audit.path);
    if (fd < 0) {
        ids_log(IDS_LOG_ERROR, "the audit log can't be opened anew",
                "path=\"%.400s\" reason=\"%s\"", audit.path, strerror(errno));
        return;
    }
    close(audit.fd);
    audit.fd = fd;
    ids_log(IDS_LOG_INFO, "the audit log was opened anew", "path=\"%.400s\"",
            audit.path);
}

static void tell_entry(const entry *e, int error) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 1; e->done && !e->done(e->ctx, error, i == TELLS_MAX); i++)
        nanosleep(&pause, NULL);
}

/* Under the lock, but for the writing and the telling. */
static void write_next_entry(void) {
    entry *e = audit.first;
    audit.first = e->next;
    if (!audit.first)
        audit.last = &audit.first;
    audit.count--;
    int fd = dup(audit.fd); /* it may be another one before it is written */
    bool ends = audit.ends;
    audit.is_writing = true;
    pthread_mutex_unlock(&audit.lock);
    if (ends)
        stands_still = true;
    int error = fd < 0 ? errno : write_line(fd, e);
    if (fd >= 0)
        close(fd);
    if (error)
        tell_failure(error);
    tell_entry(e, error);
    free(e);
    pthread_mutex_lock(&audit.lock);
    audit.is_writing = false;
}

static void *run_audit(void *none) {
    pthread_mutex_lock(&audit.lock);
    for (;;) {
        if (audit.wants_reopen)
            reopen();
        else if (audit.first)
            write_next_entry();
        else if (audit.ends)
            break;
        else
            pthread_cond_wait(&audit.more, &audit.lock);
    }
    pthread_mutex_unlock(&audit.lock);
    return none;
}

static bool start_thread(void) {
    if (audit.has_thread)
        return true;
    audit.ends = false;
    audit.last = &audit.first;
    audit.has_thread = ids_thread_start(&audit.thread, run_audit, NULL) == 0;
    if (audit.has_thread)
        pthread_setname_np(audit.thread, "audit");
    return audit.has_thread;
}

bool ids_audit_open(const ids_audit_settings *settings, char *why,
                    size_t why_cap) {
    bool off = strcmp(settings->path, "none") == 0;
    bool to_stderr = strcmp(settings->path, "stderr") == 0;
    int fd = off         ? -1
             : to_stderr ? STDERR_FILENO
                         : open_audit_file(settings->path);
    char *path = strdup(settings->path);
    if ((!off && fd < 0) || !path) {
        snprintf(why, why_cap, "%s: %s", settings->path,
                 path ? strerror(errno) : "no memory");
        free(path);
        return false;
    }
    pthread_mutex_lock(&audit.lock);
    if (audit.owns_fd)
        close(audit.fd);
    free(audit.path);
    audit.path = path;
    audit.fd = fd;
    audit.owns_fd = !off && !to_stderr;
    bool good = off || start_thread();
    pthread_mutex_unlock(&audit.lock);
    atomic_store(&hashes_keys, settings->hashes_keys);
    atomic_store_explicit(&is_on, !off && good, memory_order_release);
    if (!good)
        snprintf(why, why_cap, "no thread for it");
    return good;
}

bool ids_audit_reopen(void) {
    pthread_mutex_lock(&audit.lock);
    bool is_file = audit.has_thread && audit.owns_fd;
    audit.wants_reopen = is_file;
    pthread_cond_signal(&audit.more);
    pthread_mutex_unlock(&audit.lock);
    return is_file;
}

void ids_audit_close(void) {
    pthread_mutex_lock(&audit.lock);
    bool has_thread = audit.has_thread;
    audit.ends = true;
    audit.has_thread = false;
    pthread_cond_signal(&audit.more);
    pthread_mutex_unlock(&audit.lock);
    atomic_store_explicit(&is_on, false, memory_order_release);
    if (has_thread)
        pthread_join(audit.thread, NULL);
    pthread_mutex_lock(&audit.lock);
    if (audit.owns_fd)
        close(audit.fd);
    free(audit.path);
    audit.path = NULL;
    audit.owns_fd = false;
    audit.fd = -1;
    pthread_mutex_unlock(&audit.lock);
}

/* Handing over --------------------------------------------------------------
 */

static bool enqueue(ids_audit_line *line, ids_audit_done *done, void *ctx) {
    ids_audit_end(line);
    entry *e = malloc(sizeof *e + line->len);
    if (!e)
        return false;
    *e = (entry){.done = done,
                 .ctx = ctx,
                 .since_ms = ids_monotonic_ms(),
                 .len = line->len};
    memcpy(e->bytes, line->bytes, line->len);
    pthread_mutex_lock(&audit.lock);
    bool good =
        audit.has_thread && audit.fd >= 0 && audit.count < IDS_AUDIT_QUEUE;
    if (good) {
        *audit.last = e;
        audit.last = &e->next;
        audit.count++;
        pthread_cond_signal(&audit.more);
    }
    pthread_mutex_unlock(&audit.lock);
    if (!good)
        free(e);
    return good;
}

void ids_audit_put(ids_audit_line *line) {
    if (!ids_audit_is_off() && !enqueue(line, NULL, NULL))
        tell_failure(ETIMEDOUT);
}

bool ids_audit_ask(ids_audit_line *line, ids_audit_done *done, void *ctx) {
    return enqueue(line, done, ctx);
}
