/* SPDX-License-Identifier: Apache-2.0 */
/* log_queue.c -- see log_queue.h. */
#include "server/base/log_queue.h"

#include "server/base/monotonic.h"
#include "server/base/thread_start.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* Some thousand lines: a reader may stand still for a while. */
#define QUEUE_BYTES (512u << 10)
#define TELL_MS     1000
/* No time of its own: a day. */
#define FAR_MS      (ids_monotonic_ms() + 86400000)

/* Lines one behind the other, each with its length in two bytes before it; in
 * a circle. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t more, idle;
    size_t at, len; /* of what waits */
    bool is_writing;
    bool is_flushed; /* somebody waits for all of it */
    bool tells;      /* the teller has something to tell, at */
    uint64_t tell_at_ms;
    uint64_t lost; /* not told yet */
    ids_log_teller *teller;
    char bytes[QUEUE_BYTES];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_bool has_thread;
static atomic_uint_least64_t lost_total;

/* False: it is that late. */
static bool wait_until(pthread_cond_t *what, uint64_t ms) {
    const struct timespec until = {.tv_sec = (time_t)(ms / 1000),
                                   .tv_nsec = (long)(ms % 1000) * 1000000};
    return pthread_cond_timedwait(what, &queue.lock, &until) == 0;
}

static void queue_put_bytes(const void *from, size_t len) {
    size_t at = (queue.at + queue.len) % QUEUE_BYTES;
    size_t first = len < QUEUE_BYTES - at ? len : QUEUE_BYTES - at;
    memcpy(queue.bytes + at, from, first);
    memcpy(queue.bytes, (const char *)from + first, len - first);
    queue.len += len;
}

static void queue_take_bytes(void *to, size_t len) {
    size_t first = len < QUEUE_BYTES - queue.at ? len : QUEUE_BYTES - queue.at;
    memcpy(to, queue.bytes + queue.at, first);
    memcpy((char *)to + first, queue.bytes, len - first);
    queue.at = (queue.at + len) % QUEUE_BYTES;
    queue.len -= len;
}

/* Under the lock. */
static void tell_soon(void) {
    if (queue.tells)
        return;
    queue.tells = true;
    queue.tell_at_ms = ids_monotonic_ms() + TELL_MS;
    pthread_cond_signal(&queue.more);
}

static void count_lost(void) {
    queue.lost++;
    tell_soon();
    atomic_fetch_add_explicit(&lost_total, 1, memory_order_relaxed);
}

void ids_log_queue_put(const char *line, size_t len) {
    uint16_t head = (uint16_t)len;
    if (!atomic_load_explicit(&has_thread, memory_order_acquire)) {
        ids_log_queue_write(line, len);
        return;
    }
    pthread_mutex_lock(&queue.lock);
    if (queue.len + sizeof head + len > QUEUE_BYTES) {
        count_lost();
    } else {
        queue_put_bytes(&head, sizeof head);
        queue_put_bytes(line, len);
        pthread_cond_signal(&queue.more);
    }
    pthread_mutex_unlock(&queue.lock);
}

void ids_log_queue_tell_soon(void) {
    pthread_mutex_lock(&queue.lock);
    tell_soon();
    pthread_mutex_unlock(&queue.lock);
}

uint64_t ids_log_queue_lost(void) {
    return atomic_load_explicit(&lost_total, memory_order_relaxed);
}

/* Somebody who shares stderr may have made it non-blocking. */
static bool log_may_go_on(void) {
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (errno == EINTR)
        return true;
    return errno == EAGAIN && (poll(&out, 1, -1) > 0 || errno == EINTR);
}

/* A line that was cut off in the middle is ended before the next one. */
static bool is_cut;

static bool log_write_all(const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t took = write(STDERR_FILENO, bytes, len);
        if (took < 0 && log_may_go_on())
            continue;
        if (took < 0)
            return false;
        is_cut = bytes[took - 1] != '\n';
        bytes += took;
        len -= (size_t)took;
    }
    return true;
}

bool ids_log_queue_write(const char *line, size_t len) {
    return (!is_cut || log_write_all("\n", 1)) && log_write_all(line, len);
}

/* The thread --------------------------------------------------------------- */

/* Under the lock, but for the writing. */
static void write_next_line(void) {
    char line[IDS_LOG_LINE_BYTES];
    uint16_t len;
    queue_take_bytes(&len, sizeof len);
    queue_take_bytes(line, len);
    queue.is_writing = true;
    pthread_mutex_unlock(&queue.lock);
    bool good = ids_log_queue_write(line, len);
    pthread_mutex_lock(&queue.lock);
    queue.is_writing = false;
    if (!good)
        count_lost();
}

/* What could not be told counts on, and is told the next time. */
static void tell_lost_lines(void) {
    uint64_t lost = queue.lost;
    queue.lost = 0;
    queue.tells = false;
    queue.is_writing = true;
    pthread_mutex_unlock(&queue.lock);
    bool good = queue.teller(lost);
    pthread_mutex_lock(&queue.lock);
    queue.is_writing = false;
    if (good || queue.is_flushed)
        return;
    queue.lost += lost;
    tell_soon();
}

static void *run_log_queue(void *none) {
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        if (queue.tells &&
            (queue.is_flushed || ids_monotonic_ms() >= queue.tell_at_ms)) {
            tell_lost_lines();
        } else if (queue.len) {
            write_next_line();
        } else {
            pthread_cond_broadcast(&queue.idle);
            wait_until(&queue.more, queue.tells ? queue.tell_at_ms : FAR_MS);
        }
    }
    return none;
}

bool ids_log_queue_start(ids_log_teller *teller) {
    pthread_t thread;
    pthread_condattr_t monotonic;
    queue.teller = teller;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue.more, &monotonic);
    pthread_cond_init(&queue.idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (ids_thread_start(&thread, run_log_queue, NULL) != 0)
        return false;
    pthread_setname_np(thread, "log");
    pthread_detach(thread);
    atomic_store_explicit(&has_thread, true, memory_order_release);
    return true;
}

void ids_log_queue_flush(unsigned ms_max) {
    uint64_t until_ms = ids_monotonic_ms() + ms_max;
    if (!atomic_load_explicit(&has_thread, memory_order_acquire))
        return;
    pthread_mutex_lock(&queue.lock);
    queue.is_flushed = true;
    pthread_cond_signal(&queue.more);
    while (queue.len || queue.is_writing || queue.tells)
        if (!wait_until(&queue.idle, until_ms))
            break;
    queue.is_flushed = false;
    pthread_mutex_unlock(&queue.lock);
}
