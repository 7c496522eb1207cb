/* SPDX-License-Identifier: Apache-2.0 */
/* async.h -- what an idem_async is made of: its calls (async_call.c), its lines
 * (async_line.c), its leases (async_keep.c), and what its program sees
 * (async.c).
 *
 * The rules are course.h's and link.h's. Here bytes are moved without waiting,
 * and callbacks called: from idem_async_process and idem_async_close alone, so
 * that nothing else can change under a loop's feet. A callback may close it
 * (closing: told to nobody any more until the end) or fork (the child's copy is
 * left as it is): whoever has called back asks idem__async_is_over. */
#ifndef IDEM_ASYNC_H
#define IDEM_ASYNC_H

#include "client/include/idemclient_async.h"
#include "client/src/alarms.h"
#include "client/src/args.h"
#include "client/src/course.h"
#include "client/src/fork.h"
#include "client/src/lookup.h"
#include "client/src/pool.h"
#include "client/src/seal.h"
#include "client/src/term.h"

typedef enum idem__alarm_kind {
    IDEM__ALARM_CALL,
    IDEM__ALARM_KEPT
} idem__alarm_kind;

typedef struct idem__line idem__line;

/* One call. Where attempt.op.pending it is on its line's wire; else it is in
 * its line's queue, or without a line: it pauses until its alarm. */
typedef struct idem__task {
    idem__attempt attempt;          /* first: the link knows only this */
    idem__alarm alarm;              /* its deadline, or when it goes on */
    struct idem__task *prev, *next; /* in the line's queue */
    idem__line *line;
    idem__course course;
    idp_request request; /* its slices point into bytes */
    idem_done_fn done;
    void *ctx;
    uint32_t bytes_count; /* of the block */
    uint32_t slot;
    uint32_t dials_failed; /* while it waited for its line */
    bool queued;
    bool cancelled;
    uint8_t bytes[];
} idem__task;

typedef enum idem__dial_step {
    IDEM__DIAL_NONE,
    IDEM__DIAL_LOOKUP,
    IDEM__DIAL_CONNECT,
    IDEM__DIAL_HANDSHAKE
} idem__dial_step;

/* A link with a descriptor, and calls that wait for it. */
struct idem__line {
    idem__link link;
    idem__seal seal; /* of fd */
    int fd;
    bool full; /* the kernel takes no more bytes until it says so */
    uint64_t fd_serial;
    uint64_t listened_ms; /* until then was listened, and quiet_ms counted */
    idem__task *first, *last;
    idem__dial_step step; /* while the link is DIALING */
    uint64_t dial_end_ms;
    uint64_t step_end_ms; /* of this address; LOOKUP: to look again */
    idem__addr addrs[IDEM__ADDRS_MAX];
    uint32_t addrs_count, addrs_next;
    idem__lookup lookup;
    idem__op hello_op;
};

/* A claim that is kept. */
typedef struct idem__kept {
    idem__alarm alarm; /* to renew it, or its end while that is under way */
    struct idem__kept *prev, *next;
    idem_async *async;
    idem__term term;
    idem_args args; /* of a renew; points into bytes */
    idem_lost_fn lost;
    void *ctx;
    uint32_t slot;
    bool asking;
    bool over; /* let go or lost: freed once the renewal has come back */
    uint8_t bytes[];
} idem__kept;

/* What an id names: its slot, and how often that was used before. */
typedef struct idem__slot {
    idem__alarm *what; /* NULL: free */
    uint32_t used;
    uint32_t next_free;
} idem__slot;

struct idem_async {
    idem__uri uri;
    uint64_t generation; /* of the process that what follows is of */
    uint64_t now_ms;     /* of the turn */
    bool busy;
    bool closing;
    uint32_t lines_count; /* one above the highest that there is */
    uint32_t tasks_count;
    idem__alarms alarms;
    idem__pool pool;
    idem__slot *slots;
    uint32_t slots_count, slots_cap, slots_used, free_slot;
    idem__kept *kept;
    const idem__task *telling;        /* what the present callback is of, and */
    const idem_answer *told;          /* the answer that it is told */
    uint8_t nonce[IDEM__NONCE_BYTES]; /* the last one drawn */
    uint64_t seed;
    uint64_t fds_made; /* ever, in parent and child */
    uint64_t tells;    /* callbacks, ever */
    idem__selector selector;
    idem__watch watch;
    idem__line *lines[IDP_SHARDS_MAX];
};

static inline bool idem__async_is_over(const idem_async *async) {
    return async->closing || idem__fork_is_copy(async->generation);
}

/* async.c: makes it this process's, as a copy of another one's. */
bool idem__async_take_over(idem_async *async);
static inline bool idem__async_be_here(idem_async *async) {
    return !idem__fork_is_copy(async->generation) ||
           idem__async_take_over(async);
}

/* async.c: an id for what has this alarm; false without memory, or room. */
bool idem__async_enter(idem_async *async, idem__alarm *what, uint32_t *slot);
void idem__async_leave(idem_async *async, uint32_t slot);
uint64_t idem__async_id(const idem_async *async, uint32_t slot);
/* NULL: it names nothing (any more). */
idem__alarm *idem__async_find(const idem_async *async, uint64_t id);

/* async_call.c: the attempt of a call that is on no wire and in no queue has
 * ended so: it goes on, or is told. */
void idem__task_failed(idem_async *async, idem__task *task, int32_t code,
                       const idem_error *why);
/* A reply has come for it. */
void idem__task_answered(idem_async *async, idem__task *task,
                         const idp_reply *reply);
/* Its alarm has gone off. */
void idem__task_due(idem_async *async, idem__task *task);
/* It may go on this line now, or goes to the one that it belongs to. */
void idem__task_send(idem_async *async, idem__task *task, idem__line *line);
/* Asks for a renewal, however many calls there are. */
int32_t idem__task_renew(idem_async *async, const idem_args *args,
                         idem_done_fn done, void *ctx);
/* The handle is closed. */
void idem__task_close(idem_async *async, idem__task *task);

/* async_line.c */
idem__line *idem__line_new(idem_async *async, uint32_t shard);
/* Its calls are over, or another process's. */
void idem__line_free(idem__line *line);
void idem__line_enqueue(idem__line *line, idem__task *task);
void idem__line_dequeue(idem__line *line, idem__task *task);
void idem__line_ready(idem_async *async, idem__line *line, uint32_t events);
/* What its time has brought. */
void idem__line_tick(idem_async *async, idem__line *line);
/* Sends what waits, and what is queued. */
void idem__line_flush(idem_async *async, idem__line *line);
/* Looks whether something has come, before a deadline counts. */
void idem__line_look(idem_async *async, idem__line *line);
void idem__line_break(idem_async *async, idem__line *line, int os_error,
                      const char *why);
uint64_t idem__line_next_ms(const idem__line *line);
void idem__line_hang_up(idem__line *line);
void idem__line_read(idem_async *async, idem__line *line);

/* async_dial.c: DOWN, with a call that waits. */
void idem__dial_begin(idem_async *async, idem__line *line);
/* The descriptor can be written to. */
void idem__dial_connected(idem_async *async, idem__line *line);
/* Bytes have come. False: nothing more is to be read now. */
bool idem__dial_hear(idem_async *async, idem__line *line);
/* The step has taken its time. */
void idem__dial_step_over(idem_async *async, idem__line *line);
/* It came to nothing: the next address, or the end of this dial. os_error 0: it
 * was closed. */
void idem__dial_failed(idem_async *async, idem__line *line, int os_error);
void idem__dial_lost(idem_async *async, idem__line *line,
                     const idem_error *why);

/* async_keep.c */
void idem__kept_due(idem_async *async, idem__kept *kept);
/* Whether a request is of a claim that is kept. */
bool idem__kept_has(const idem_async *async, const idp_request *request);
/* Frees them all and tells nobody. */
void idem__kept_forget(idem_async *async);

#endif
