/* SPDX-License-Identifier: Apache-2.0 */
/* log.h -- one event, one line of logfmt or JSON on stderr.
 *
 * Any thread; a line is one write, so lines never mix. Nobody waits for the
 * reader: once ids_log_start was called a thread of its own writes, what it
 * has no room for is lost, and a later line says how much. Lines of one kind
 * (msg) are at most 20 at once and 10 a second, at debug a hundred times as
 * many; the rest is held back and counted. Never log the contents of keys or
 * results, nor a secret. */
#ifndef IDS_LOG_H
#define IDS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define IDS_LOG_LEVELS(X) \
    X(DEBUG, "debug")     \
    X(INFO, "info")       \
    X(WARN, "warn")       \
    X(ERROR, "error")

typedef enum ids_log_level {
#define X(name, text) IDS_LOG_##name,
    IDS_LOG_LEVELS(X)
#undef X
        IDS_LOG_LEVEL_COUNT
} ids_log_level;

/* False when name is no level's. */
bool ids_log_level_parse(const char *name, ids_log_level *level);

/* What is below is not written. The start is INFO. */
void ids_log_set_level(ids_log_level level);
bool ids_log_wants(ids_log_level level);

typedef enum ids_log_format {
    IDS_LOG_AUTO, /* logfmt; JSON in a container that a cluster started */
    IDS_LOG_LOGFMT,
    IDS_LOG_JSON
} ids_log_format;

/* False when name is no format's. */
bool ids_log_format_parse(const char *name, ids_log_format *format);

/* From the next line on. The start is AUTO. In each format a line that goes to
 * systemd's journal begins with its level. */
void ids_log_set_format(ids_log_format format);

/* From here on no line blocks its thread. False: there is no thread for it,
 * all stays as it was. */
bool ids_log_start(void);

/* Waits a second at most for what is not written yet; before an _exit, and at
 * an exit by itself. */
void ids_log_flush(void);

/* Since the start: lines that found no room or could not be written, and
 * lines held back. */
uint64_t ids_log_lost(void);
uint64_t ids_log_held_back(void);

/* msg: static text. fields: a printf format that makes "key=value key=value";
 * NULL for none. Values with spaces are the caller's to quote; what can't be
 * printed is written as \xHH. A line is cut at 1 KiB. */
void ids_log(ids_log_level level, const char *msg, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

#endif
