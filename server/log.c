/* log.c -- one event, one line of logfmt on stderr. */
#include "server/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
#define X(name, text) text,
    IDS_LOG_LEVELS(X)
#undef X
};

static atomic_int least = IDS_LOG_INFO;

const char *ids_log_level_name(ids_log_level level) {
    return names[level];
}

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

/* How much of a snprintf's answer really stands in the room that it had. */
static size_t stood(int wanted, size_t room) {
    if (wanted < 0)
        return 0;
    return (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static size_t put_head(char *line, size_t cap, ids_log_level level,
                       const char *msg) {
    struct timespec wall;
    struct tm parts;
    char second[32] = "";
    clock_gettime(CLOCK_REALTIME, &wall);
    if (gmtime_r(&wall.tv_sec, &parts))
        strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
    int wanted = snprintf(line, cap, "ts=%s.%03ldZ level=%s msg=\"%s\"", second,
                          wall.tv_nsec / 1000000, names[level], msg);
    return stood(wanted, cap);
}

void ids_log(ids_log_level level, const char *msg, const char *fields, ...) {
    if (!ids_log_wants(level))
        return;
    int saved = errno;
    char line[1024];
    size_t len = put_head(line, sizeof line - 1, level, msg);
    if (fields && len + 1 < sizeof line - 1) {
        line[len++] = ' ';
        va_list args;
        va_start(args, fields);
        size_t room = sizeof line - 1 - len;
        len += stood(vsnprintf(line + len, room, fields, args), room);
        va_end(args);
    }
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* there is nobody left to tell */
    errno = saved;
}
