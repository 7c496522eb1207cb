/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h -- who decided what of whose claims: JSON, a line each, into a file
 * or to stderr.
 *
 * It is the one place where keys are written. Any thread; a thread of its own
 * writes, so that a disk or a reader that stands still stops nobody. A line
 * that somebody waits for (ids_audit_ask) is written or known not to be within
 * IDS_AUDIT_WAIT_MS; every other one is lost where there is no room, and
 * counted. */
#ifndef IDS_AUDIT_H
#define IDS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pipe takes so much whole or not at all (PIPE_BUF). */
#define IDS_AUDIT_LINE_BYTES   4096
#define IDS_AUDIT_WAIT_MS      2000
/* Lines that wait to be written. */
#define IDS_AUDIT_QUEUE        1024
/* Of those that were refused, who are strangers: a second, and bytes a day. */
#define IDS_AUDIT_REFUSED_RATE 10
#define IDS_AUDIT_REFUSED_DAY  (10u << 20)

/* Whose doing it is. */
typedef struct ids_audit_who {
    char user[64];   /* "": no secret is demanded */
    char source[64]; /* "127.0.0.1:4711", "unix:pid-12" */
    char client[160];
} ids_audit_who;

/* A line that is being made; cut where its room ends, and whole JSON even
 * then. */
typedef struct ids_audit_line {
    char bytes[IDS_AUDIT_LINE_BYTES];
    size_t len;
} ids_audit_line;

typedef struct ids_audit_settings {
    const char *path; /* a file; "stderr"; "none" */
    bool hashes_keys; /* a key is told as its hash alone */
} ids_audit_settings;

/* What every line says of this node; the text is copied. */
void ids_audit_set_node(const char *node);

/* Opens it, and starts the thread. False: why says what is wrong with which
 * file, and all stays as it was. Again, at a reload: the next line goes
 * there. */
bool ids_audit_open(const ids_audit_settings *settings, char *why,
                    size_t why_cap);

/* The file by its name anew, for who has moved it away. False: it goes to no
 * file. */
bool ids_audit_reopen(void);

/* Waits for what is not written yet, a second at most, and ends the thread.
 * Who still waits hears that it could not be written. */
void ids_audit_close(void);

/* Nobody keeps a record of what is decided. */
bool ids_audit_is_off(void);

/* Makes a line: event "resolve", phase "asked" or "outcome". id: the same in
 * both of one. */
void ids_audit_begin(ids_audit_line *line, const char *event, const char *phase,
                     uint64_t epoch, uint64_t id, uint32_t msgid,
                     const ids_audit_who *who);
void ids_audit_text(ids_audit_line *line, const char *name, const char *text);
/* Bytes as a string where they are printable UTF-8, else in base64 under
 * NAME_b64. */
void ids_audit_bytes(ids_audit_line *line, const char *name, const void *bytes,
                     size_t len);
void ids_audit_hex(ids_audit_line *line, const char *name, const uint8_t *bytes,
                   size_t len);
void ids_audit_number(ids_audit_line *line, const char *name, uint64_t value);
void ids_audit_bool(ids_audit_line *line, const char *name, bool value);
/* "key", or what --redact-keys leaves of it. */
void ids_audit_key(ids_audit_line *line, const void *key, size_t len);

/* Whether it is written: error is errno's number, 0: it is. On the audit's
 * thread. False: it can't be told now; it is told again in a millisecond, and
 * is_last says that it is not any more. */
typedef bool ids_audit_done(void *ctx, int error, bool is_last);

/* Ends it and hands it over. put: nobody waits. ask: done is told. False: the
 * queue is full, and done will not be called. */
void ids_audit_put(ids_audit_line *line);
bool ids_audit_ask(ids_audit_line *line, ids_audit_done *done, void *ctx);

/* audit_refused.c: somebody was refused. Beyond the rate it is counted, and the
 * next line that is written says how many. */
void ids_audit_refused(uint64_t epoch, const ids_audit_who *who,
                       const char *reason);

/* Since the start: lines that could not be written, and refusals that were
 * counted alone. */
uint64_t ids_audit_lost(void);

#endif
