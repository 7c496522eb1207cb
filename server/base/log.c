/* SPDX-License-Identifier: Apache-2.0 */
/* log.c -- one event, one line on stderr. */
#include "server/base/log.h"

#include "server/base/log_queue.h"
#include "server/base/log_text.h"
#include "server/base/monotonic.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
#define X(name, text) text,
    IDS_LOG_LEVELS(X)
#undef X
};

#define FLUSH_MS 1000

static atomic_int least = IDS_LOG_INFO;

bool ids_log_level_parse(const char *name, ids_log_level *level) {
    for (int i = 0; i < IDS_LOG_LEVEL_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *level = (ids_log_level)i;
            return true;
        }
    }
    return false;
}

void ids_log_set_level(ids_log_level level) {
    atomic_store_explicit(&least, (int)level, memory_order_relaxed);
}

bool ids_log_wants(ids_log_level level) {
    return (int)level >= atomic_load_explicit(&least, memory_order_relaxed);
}

/* Form --------------------------------------------------------------------- */

static const char *const forms[] = {"auto", "logfmt", "json"};

static atomic_int form; /* ids_log_format */
static atomic_bool is_json;
static bool for_journal;

bool ids_log_format_parse(const char *name, ids_log_format *format) {
    for (int i = 0; i < (int)(sizeof forms / sizeof *forms); i++) {
        if (strcmp(name, forms[i]) == 0) {
            *format = (ids_log_format)i;
            return true;
        }
    }
    return false;
}

/* Where a cluster starts containers it collects their lines, as JSON. */
void ids_log_set_format(ids_log_format format) {
    bool json =
        format == IDS_LOG_JSON || (format == IDS_LOG_AUTO && !for_journal &&
                                   getenv("KUBERNETES_SERVICE_HOST") != NULL);
    atomic_store_explicit(&form, (int)format, memory_order_relaxed);
    atomic_store_explicit(&is_json, json, memory_order_relaxed);
}

/* Whether stderr is the journal's, which takes a line's level from its head:
 * it says so in JOURNAL_STREAM, as device and inode; a redirection is none. */
static bool goes_to_journal(void) {
    const char *told = getenv("JOURNAL_STREAM");
    struct stat about;
    char own[64];
    if (!told || fstat(STDERR_FILENO, &about) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)about.st_dev,
             (uintmax_t)about.st_ino);
    return strcmp(told, own) == 0;
}

/* "<4>", as sd-daemon(3) has it. */
static size_t put_level(char *line, ids_log_level level) {
    static const char heads[][4] = {"<7>", "<6>", "<4>", "<3>"};
    if (!for_journal)
        return 0;
    memcpy(line, heads[level], 3);
    return 3;
}

#define TS_BYTES 48
static void write_time(char to[static TS_BYTES]) {
    struct timespec wall;
    struct tm parts;
    char second[32] = "";
    clock_gettime(CLOCK_REALTIME, &wall);
    if (gmtime_r(&wall.tv_sec, &parts))
        strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(to, TS_BYTES, "%s.%03ldZ", second, wall.tv_nsec / 1000000);
}

/* Rates -------------------------------------------------------------------- */

#define KINDS       128u /* more than there are messages */
#define BURST       20u
#define A_SECOND    10u
#define DEBUG_TIMES 100u

typedef struct kind {
    const char *msg;
    ids_log_level level;
    uint64_t filled_ms; /* when tokens were added last */
    uint64_t tokens;    /* thousandths of a line */
    uint64_t held;      /* not told yet */
} kind;

static pthread_mutex_t rates_lock = PTHREAD_MUTEX_INITIALIZER;
static kind kinds[KINDS];
static atomic_uint_least64_t held_total;

/* NULL: there are too many kinds. */
static kind *kind_of(ids_log_level level, const char *msg) {
    for (size_t i = 0; i < KINDS; i++) {
        kind *k = &kinds[((uintptr_t)msg / 8 + i) % KINDS];
        if (k->msg == msg && k->level == level)
            return k;
        if (k->msg)
            continue;
        *k = (kind){.msg = msg, .level = level};
        return k;
    }
    return NULL;
}

static bool spend_line(kind *k) {
    uint64_t times = k->level == IDS_LOG_DEBUG ? DEBUG_TIMES : 1;
    uint64_t most = 1000 * BURST * times;
    uint64_t now = ids_monotonic_ms();
    k->tokens = k->filled_ms
                    ? k->tokens + (now - k->filled_ms) * A_SECOND * times
                    : most;
    if (k->tokens > most)
        k->tokens = most;
    k->filled_ms = now;
    if (k->tokens < 1000)
        return false;
    k->tokens -= 1000;
    return true;
}

static bool has_rate(ids_log_level level, const char *msg) {
    pthread_mutex_lock(&rates_lock);
    kind *k = kind_of(level, msg);
    bool good = !k || spend_line(k);
    if (!good)
        k->held++;
    pthread_mutex_unlock(&rates_lock);
    if (good)
        return true;
    atomic_fetch_add_explicit(&held_total, 1, memory_order_relaxed);
    ids_log_queue_tell_soon();
    return false;
}

/* Lines -------------------------------------------------------------------- */

__attribute__((format(printf, 4, 0))) static size_t
make_line(char *line, ids_log_level level, const char *msg, const char *fields,
          va_list args) {
    char ts[TS_BYTES], said[IDS_LOG_LINE_BYTES] = "";
    const ids_log_head head = {ts, names[level], msg};
    ids_log_text text = {.to = line,
                         .len = put_level(line, level),
                         .cap = IDS_LOG_LINE_BYTES - 1};
    write_time(ts);
    if (fields)
        vsnprintf(said, sizeof said, fields, args);
    if (atomic_load_explicit(&is_json, memory_order_relaxed))
        ids_log_put_json(&text, &head, said);
    else
        ids_log_put_logfmt(&text, &head, said);
    line[text.len++] = '\n';
    return text.len;
}

void ids_log(ids_log_level level, const char *msg, const char *fields, ...) {
    if (!ids_log_wants(level))
        return;
    int saved = errno;
    if (has_rate(level, msg)) {
        char line[IDS_LOG_LINE_BYTES];
        va_list args;
        va_start(args, fields);
        size_t len = make_line(line, level, msg, fields, args);
        va_end(args);
        ids_log_queue_put(line, len);
    }
    errno = saved;
}

/* What is not there ---------------------------------------------------------
 */

/* On the thread that writes. */
__attribute__((format(printf, 2, 3))) static bool say(const char *msg,
                                                      const char *fields, ...) {
    char line[IDS_LOG_LINE_BYTES];
    va_list args;
    va_start(args, fields);
    size_t len = make_line(line, IDS_LOG_WARN, msg, fields, args);
    va_end(args);
    return ids_log_queue_write(line, len);
}

static kind take_held(size_t at) {
    pthread_mutex_lock(&rates_lock);
    kind taken = kinds[at];
    kinds[at].held = 0;
    pthread_mutex_unlock(&rates_lock);
    return taken;
}

static bool tell_held_back(uint64_t lost) {
    if (lost && !say("log lines lost",
                     "lines=%llu reason=\"stderr did not "
                     "take them\"",
                     (unsigned long long)lost))
        return false;
    for (size_t i = 0; i < KINDS; i++) {
        const kind k = take_held(i);
        if (k.held)
            say("log lines held back", "lines=%llu of=\"%s\"",
                (unsigned long long)k.held, k.msg);
    }
    return true;
}

bool ids_log_start(void) {
    for_journal = goes_to_journal();
    ids_log_set_format(
        (ids_log_format)atomic_load_explicit(&form, memory_order_relaxed));
    return ids_log_queue_start(tell_held_back) && atexit(ids_log_flush) == 0;
}

void ids_log_flush(void) {
    ids_log_queue_flush(FLUSH_MS);
}

uint64_t ids_log_lost(void) {
    return ids_log_queue_lost();
}

uint64_t ids_log_held_back(void) {
    return atomic_load_explicit(&held_total, memory_order_relaxed);
}
