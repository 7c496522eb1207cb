/* SPDX-License-Identifier: Apache-2.0 */
/* history.h -- what the clients asked and heard, and when, as text.
 *
 * One line per event; a run's files, a test's hand-made story and what is
 * printed of a failure are all in this one format:
 *
 *   # a comment
 *   100ms c1.1 acquire k fp a nonce n1 lease 400 ttl 3000
 *   101ms c1.1 -> acquired token 5.1 attempt 1 previous none
 *   150ms c2.1 complete k token 5.1 result 4:9af1
 *   900ms c2.1 ? TIMEOUT          it may have taken effect, now or later
 *   950ms c2.2 ! NO_MEMORY        it has not
 *   stopped 300ms 700ms           a server's clock may have stood still
 *   two 300ms 700ms               an old primary may have answered from what
 *                                 it knew as this began
 *
 * A time is in ns, or in ms where it says so. Who asks is client.call; a
 * client has one call at a time. A call with no second line never returned. */
#ifndef NEM_HISTORY_H
#define NEM_HISTORY_H

#include <idemclient.h>
#include <stdbool.h>
#include <stdio.h>

enum { NEM_NAME_MAX = 24, NEM_CLIENTS_MAX = 4096 };

#define NEM_NEVER UINT64_MAX
#define NEM_MS    UINT64_C(1000000) /* in ns */

typedef struct nem_token {
    uint64_t epoch; /* both 0: none */
    uint64_t sequence;
} nem_token;

static inline int nem_token_compare(nem_token a, nem_token b) {
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

static inline bool nem_token_same(nem_token a, nem_token b) {
    return nem_token_compare(a, b) == 0;
}

static inline bool nem_token_given(nem_token a) {
    return a.epoch != 0 || a.sequence != 0;
}

typedef struct nem_result {
    bool given;
    uint64_t len;
    uint64_t digest;
} nem_result;

typedef enum nem_end {
    NEM_UNKNOWN, /* nobody knows whether it took effect, or will */
    NEM_ANSWERED,
    NEM_REFUSED /* it did not */
} nem_end;

typedef struct nem_op {
    uint64_t invoke_ns;
    uint64_t return_ns; /* NEM_NEVER: it did not */
    uint64_t from_ns;   /* what it merely shows may be as old as this */
    uint64_t clock_ns;  /* the server's clock, as it took effect, was not
                         * before this; 0: not before invoke_ns */
    uint64_t stood_ns;  /* so much less time than another has a server's clock
                         * counted, of the minute before return_ns */
    uint32_t client;
    uint32_t call;
    int32_t method; /* IDEM_ACQUIRE ... */
    nem_end end;
    bool again; /* the library had to ask more than once, so that an unheard
                 * attempt may have counted, or may still be under way */
    char key[NEM_NAME_MAX];
    char fp[NEM_NAME_MAX];    /* "": none */
    char nonce[NEM_NAME_MAX]; /* "": none */
    char error[NEM_NAME_MAX];
    nem_token asked; /* complete, release, renew */
    nem_token token; /* acquired */
    uint64_t ttl_ms;
    uint64_t lease_ms;
    uint64_t wait_ms;
    uint64_t report;     /* acquire: 1 is on_orphan report */
    uint64_t unbind;     /* release */
    uint64_t class;      /* complete: 1 is an error */
    nem_result result;   /* complete */
    nem_result replayed; /* replay, record */
    uint64_t replayed_class;
    int32_t outcome; /* IDEM_ACQUIRED ... */
    int32_t state;
    int32_t previous;
    uint64_t attempt;
    uint64_t kept;
    uint64_t lease_left_ms;
    uint64_t ttl_left_ms;
} nem_op;

typedef struct nem_window {
    uint64_t from_ns;
    uint64_t to_ns;
} nem_window;

typedef struct nem_history {
    nem_op *ops;
    size_t count, cap;
    nem_window *stopped;
    size_t stopped_count, stopped_cap;
    nem_window *two;
    size_t two_count, two_cap;
    uint32_t *open; /* reading; per client: the op under way, plus one */
    char why[160];
} nem_history;

void nem_history_init(nem_history *h);
void nem_history_fini(nem_history *h);

/* Reads lines until the end. A last line that is not whole is left out: its
 * writer was killed. False: .why says which line is wrong. */
bool nem_history_read(nem_history *h, FILE *from, const char *name);
bool nem_history_load(nem_history *h, const char *path);
nem_op *nem_history_add(nem_history *h, const nem_op *op);

/* Brings the ops into order (by key, then by invoke_ns) and gives each its
 * from_ns and clock_ns. */
void nem_history_close(nem_history *h);

/* Two lines of an op, without their ends. Each returns its length, as
 * snprintf does. */
int nem_write_call(const nem_op *op, char *to, size_t cap);
int nem_write_end(const nem_op *op, char *to, size_t cap);
void nem_print(FILE *to, const nem_op *ops, size_t count);

uint64_t nem_digest(const void *bytes, size_t len);

#endif
