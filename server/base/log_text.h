/* SPDX-License-Identifier: Apache-2.0 */
/* log_text.h -- how a log line is written: logfmt or JSON, without a byte that
 * can't be printed, cut where its room ends. Pure. */
#ifndef IDS_LOG_TEXT_H
#define IDS_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What every line begins with. */
typedef struct ids_log_head {
    const char *ts;    /* "2026-01-02T03:04:05.678Z" */
    const char *level; /* "info" */
    const char *msg;
} ids_log_head;

/* Room for one line. More than fits is cut. */
typedef struct ids_log_text {
    char *to;
    size_t len, cap;
    bool full;
} ids_log_text;

/* fields: "key=value key=\"a value\"", as logfmt has it; "": none. What is not
 * printable ASCII is written as \xHH. Without a newline at its end. */
void ids_log_put_logfmt(ids_log_text *text, const ids_log_head *head,
                        const char *fields);

/* The same as one JSON object, whole also where it was cut: what looks like a
 * number is one, all else is a string. cap: 64 at least. */
void ids_log_put_json(ids_log_text *text, const ids_log_head *head,
                      const char *fields);

#endif
