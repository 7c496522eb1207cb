/* SPDX-License-Identifier: Apache-2.0 */
/* report.h -- what a command found out, as text for people or as one line of
 * JSON for scripts: the same calls make both. */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct report {
    FILE *to;
    bool json;
} report;

/* {"KIND":"NAME" ... or NAME and, indented below it, the fields. */
report report_begin(FILE *to, bool json, const char *kind, const char *name);
void report_end(report *r);

void report_text(report *r, const char *name, const char *text);
void report_number(report *r, const char *name, uint64_t value);
/* The same, of which no rate is worth telling. */
void report_whole(report *r, const char *name, uint64_t value);
void report_flag(report *r, const char *name, bool value);
/* A name that ends in "_ms"; people see "lease 7s". */
void report_ms(report *r, const char *name, uint64_t ms);
void report_hex(report *r, const char *name, const uint8_t *bytes, size_t len);
/* bytes NULL: nil. What is no UTF-8 becomes base64 in JSON, with a second
 * field NAME_encoding that says so; people see it with escapes. */
void report_bytes(report *r, const char *name, const uint8_t *bytes,
                  size_t len);
/* A number under a name that came over the wire. */
void report_counter(report *r, const char *name, size_t name_len,
                    uint64_t value);

/* A list under a name; its items are numbered from 0. A lag is an array of
 * operations, bytes and ms in JSON. */
void report_list(report *r, const char *name);
void report_item(report *r, uint32_t at, const char *text);
void report_lag_item(report *r, uint32_t at, const uint64_t lag[static 3]);
void report_list_end(report *r, uint32_t count);

/* Reads like what is typed: 7s, 1m 30s, 1.5s, 20ms. */
void report_duration(FILE *to, uint64_t ms);

/* Anything, made fit for a terminal: characters as they are, controls and
 * what is no UTF-8 as \xNN. */
void report_escape(FILE *to, const uint8_t *bytes, size_t len);

#endif
