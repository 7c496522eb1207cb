/* SPDX-License-Identifier: Apache-2.0 */
/* harness.h -- workers without sockets or threads: what the unit tests of conn,
 * dispatch and what is forwarded between workers stand on.
 *
 * A caller is a connection as its client sees it. Nothing moves until
 * harness_run; then everything does, until nothing is left to do. */
#ifndef UNIT_SERVER_HARNESS_H
#define UNIT_SERVER_HARNESS_H

#include "server/line/line.h"
#include "tests/lib/mem.h"
#include "tests/lib/pack.h"

#define HARNESS_LOOPS_MAX 3

struct caller;

/* What lies between a caller's socket and its line, both ways. */
typedef struct harness_wire {
    void (*open)(struct caller *c);
    /* Bytes have come by its socket. */
    void (*come)(struct caller *c, const uint8_t *bytes, size_t len);
    /* What its socket is to send next; then, so many bytes of it were. */
    idp_slice (*output)(struct caller *c);
    void (*sent)(struct caller *c, idp_slice out, size_t sent);
    /* More waits to be sent than the connection knows of; done: no more will
     * come of it. */
    bool (*waits)(struct caller *c, bool done);
    /* It leaves its loop, and for good. */
    void (*part)(struct caller *c);
    void (*close)(struct caller *c);
} harness_wire;

typedef struct harness {
    ids_server server;
    ids_mailbox boxes[HARNESS_LOOPS_MAX];
    ids_line *lines[HARNESS_LOOPS_MAX];
    ids_worker *workers[HARNESS_LOOPS_MAX]; /* theirs */
    idt_mem mem;
    uint32_t wakes;     /* how often a sleeping loop was woken */
    bool is_kept;       /* every worker has a journal, fsync always */
    bool is_replicated; /* every worker has a peer, and follows at first */
    bool is_new;        /* and no turn has ended yet */
    uint64_t session;   /* records of another one are not current */
    uint32_t asked;     /* how often that was asked */
    const ids_role_state
        *role_state;    /* what a worker is told then; NULL: nothing */
    uint64_t clock_ms;  /* what the clock says as a batch is taken; 0: it
                         * stands still */
    bool keep_messages; /* harness_run posts nothing: as if others were busy */
    const harness_wire *wire; /* NULL: bytes are what they are */
} harness;

typedef struct caller {
    harness *harness;
    ids_conn *conn; /* NULL: the server closed it */
    uint32_t loop;  /* that it is on */
    bool travels;   /* on its way to a loop, on none now */
    size_t takes;   /* bytes of output that its socket takes per send */
    uint32_t sends; /* that carried something */
    idt_buf got;
    char heard[256];
    char error[256]; /* the whole error that was heard last */
    bool is_peer;    /* the server took it for another one ... */
    idt_buf behind;  /* ... and what came behind the magic */
} caller;

/* Small limits: results of 1 KiB, 8 pending, buffers of 64 KiB. */
void harness_plan(harness *t, uint32_t loops);
/* Who gets in: with this secret alone, or as this file says. Before or after it
 * is open; after it, as a reload does. */
void harness_demand(harness *t, const char *secret);
void harness_credentials(harness *t, const char *text);
/* After whatever the test changed in t->server. */
void harness_open(harness *t);
void harness_close(harness *t);

/* Of one that is open. */
void harness_limit_buffers(harness *t, size_t bytes_max);

void harness_run(harness *t);
void harness_pass(harness *t, uint64_t ms);

/* The loop's disk is through with what its journal has for it; false: there
 * was nothing. */
bool harness_sync(harness *t, uint32_t loop);

/* A new connection on this loop. */
void caller_open(caller *c, harness *t, uint32_t loop);
/* The client closes, or vanishes. */
void caller_close(caller *c);

void caller_send(caller *c, const void *bytes, size_t len);
void caller_send_slowly(caller *c, const void *bytes, size_t len);

/* The next reply as "msgid outcome": "7 acquired", "8 LIMIT", "9 pong", "10
 * map"; "nothing" when there is none. */
const char *caller_hear(caller *c);

/* A request's bytes, in to; returns their length. */
size_t put_acquire(uint8_t *to, uint32_t msgid, const char *key,
                   uint32_t wait_ms);
size_t put_complete(uint8_t *to, uint32_t msgid, const char *key,
                    idp_token token, size_t result_bytes);
size_t put_hello(uint8_t *to, uint32_t msgid, int shard, const char *secret);
size_t put_plain(uint8_t *to, uint32_t msgid, idp_method method);

/* The shorthand for one request each. */
void ask_acquire(caller *c, uint32_t msgid, const char *key, uint32_t wait_ms);
void ask_hello(caller *c, uint32_t msgid, int shard, const char *secret);
void ask_plain(caller *c, uint32_t msgid, idp_method method);

/* A key that this loop owns; which: 0, 1, 2 ... */
const char *key_of(const harness *t, uint32_t loop, uint32_t which);

#endif
