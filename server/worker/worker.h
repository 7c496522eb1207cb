/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h -- what one worker is to its node: its shard, its commit gate, its
 * role, its messages, and the names of those who are answered.
 *
 * The worker holds these parts, and each is its own file's; who needs one alone
 * takes that one. What reads requests stands above it, in the line (line.h).
 * One thread; only the mailboxes are shared with other workers. */
#ifndef IDS_WORKER_H
#define IDS_WORKER_H

#include "server/journal/journal.h"
#include "server/peer/keys.h"
#include "server/worker/audited.h"
#include "server/worker/change_buffer.h"
#include "server/worker/commands.h"
#include "server/worker/commit_wait.h"
#include "server/worker/conn.h"
#include "server/worker/counters.h"
#include "server/worker/events.h"
#include "server/worker/loop_limits.h"
#include "server/worker/measures.h"
#include "server/worker/message.h"
#include "server/worker/role.h"
#include "server/worker/scanner.h"
#include "server/worker/server.h"
#include "server/worker/slow_log.h"
#include "server/worker/staging.h"

/* What one turn of a loop does, by kind. A unit is some 100 to 250 ns: a
 * request, a waiter that is looked at, a message, 1 KiB of any of these.
 * What is over the bound is left for the next turn, in its order. */
typedef enum ids_work {
    IDS_WORK_SERVE, /* requests, and reading them */
    IDS_WORK_WAKE,  /* waiters: of requests, of messages, of what is due */
    IDS_WORK_MESSAGES,
    IDS_WORK_SEND,
    IDS_WORK_DUE, /* records that ended, replies let go, a snapshot's step */
    IDS_WORK_KINDS
} ids_work;

#define IDS_WORK_A_TURN 4096u /* of each kind */
#define IDS_WORK_A_CONN 1024u /* of one connection's requests */
#define IDS_WORK_READ   4u    /* a system call and what goes with it */
#define IDS_WORK_SEND_1 8u

typedef enum ids_notice {
    IDS_NOTICE_DRAIN,
    IDS_NOTICE_STOP,
    IDS_NOTICE_CREDENTIALS /* there is another version: the line's */
} ids_notice;

typedef struct ids_slot {
    ids_conn *conn; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} ids_slot;

/* The names of its connections: see ids_worker_name. */
typedef struct ids_slots {
    ids_slot *all;
    uint32_t used, cap;
    uint32_t free; /* the first; ~0: none */
} ids_slots;

/* A result that those who wait for it get, while it is decided: shared.h. */
typedef struct ids_woken {
    ids_shared *rest; /* NULL: none */
    idp_answer answer;
    idp_bytes others; /* on other loops: ids_woken_asker */
} ids_woken;

typedef struct ids_woken_asker {
    ids_asker asker;
    uint32_t msgid;
} ids_woken_asker;

/* Messages for other workers. */
#define IDS_SPARE_BATCHES 16
typedef struct ids_post {
    ids_message_batch **to; /* per loop: what is being filled, or NULL */
    uint32_t *loops;        /* which loops these are */
    uint32_t count;
    uint32_t spares;
    ids_message_batch *spare[IDS_SPARE_BATCHES];
    /* Whose replies went to another loop last, and how many bytes of them this
     * turn. */
    ids_asker last_asker;
    size_t last_bytes;
} ids_post;

/* How many requests come. */
typedef struct ids_pace {
    uint64_t by_others;      /* requests that came from other loops, ever */
    uint64_t seen, since_ms; /* ids_worker_asked, as it was then */
    uint64_t busy_ns;        /* in turns, ever, by then */
    uint32_t busy_percent;   /* of the time before that */
    bool is_high;
} ids_pace;

/* The rest where the worker has a peer. */
typedef struct ids_worker_driver {
    void *ctx;
    /* The change buffer is high: take what is in it and clear it. Comes in the
     * middle of a call: no way back in here. */
    void (*change_buffer_is_high)(void *ctx);
    /* Whether records with this tag may be put (ids_peer_is_current). Tells
     * the worker first what it may do (ids_worker_set_role): it may not have
     * heard yet that it follows. */
    bool (*is_current)(void *ctx, const ids_batch_tag *tag);
} ids_worker_driver;

struct ids_worker {
    const ids_server *server;
    ids_shard *shard;
    uint64_t now_ms; /* the driver sets it once per wake-up */
    uint32_t index;  /* which loop */
    bool draining;
    ids_credentials *credentials; /* the version it knows; NULL: everybody gets
                                   * in */
    ids_commit_gate gate;         /* the commit gate */
    uint64_t epoch_end;           /* of role_state, see there */
    ids_role_state role_state;
    ids_journal *journal; /* its log's; NULL: none */
    ids_change_buffer change_buffer;
    ids_key_ring keys; /* what it has changed or put; for the peer */
    ids_staging staging;
    ids_slots slots;
    ids_list dirty;         /* connections that the driver must look at */
    ids_list for_forwarded; /* such whose output waits for forwarded requests */
    uint32_t forwarded;     /* at other loops now, of all */
    ids_buffers buffers;
    ids_woken woken;
    ids_post post;
    uint32_t work[IDS_WORK_KINDS]; /* of this turn */
    ids_counters counters;
    ids_measures measures;
    ids_pace pace;
    ids_scanner scanner;
    ids_events events;
    ids_slow_notes slow;
    ids_commands commands;         /* under way; loop 0's */
    ids_audited audited;           /* asked here, and not answered yet */
    ids_shard_config shard_config; /* for another shard like the first */
    ids_worker_driver driver;
    char limited_text[256]; /* see limited.h */
};

/* Begins it, but for its shard and what that tells: whoever composes it adds
 * that (line.c). False: out of memory. */
bool ids_worker_init(ids_worker *worker, const ids_server *server,
                     uint32_t index, const ids_worker_driver *driver);

/* Its connections must have been dropped. */
void ids_worker_fini(ids_worker *worker);

/* Connections. name gives one a name on this worker (false: out of memory), and
 * unname takes it away. */
bool ids_worker_name(ids_worker *worker, ids_conn *conn);
void ids_worker_unname(ids_worker *worker, ids_conn *conn);

/* NULL when the asker is not on this worker, or gone. */
ids_conn *ids_worker_find(const ids_worker *worker, ids_asker asker);

/* The next connection that the driver must look at: it has output, or shall be
 * closed or moved. NULL: no more. */
ids_conn *ids_worker_next_dirty(ids_worker *worker);
void ids_worker_mark(ids_worker *worker, ids_conn *conn);
void ids_worker_unmark(ids_worker *worker, ids_conn *conn);

/* Messages. The batch that is being filled for a loop, which may be its own;
 * NULL: out of memory. */
ids_message_batch *ids_worker_batch(ids_worker *worker, uint32_t loop);

/* The batch for a reply to another loop, held or not; NULL: no memory. Once
 * the reply is in it, ids_worker_messaged with the batch's length before. */
ids_message_batch *ids_worker_reply_batch(ids_worker *worker, uint32_t loop,
                                          ids_showing shows);
void ids_worker_messaged(ids_worker *worker, uint32_t loop,
                         const ids_message_batch *batch, size_t before);

/* The batch was carried out: it is kept for the next one, or freed. */
void ids_worker_recycle(ids_worker *worker, ids_message_batch *batch);

/* One entry without a body. False: no memory. */
bool ids_worker_message_word(ids_worker *worker, uint32_t loop,
                             ids_message_kind kind, uint64_t word);

/* Posts what was filled. False: a box was full, call again soon. */
bool ids_worker_post(ids_worker *worker);

/* Gives notice to every loop but this one. */
void ids_worker_tell_others(ids_worker *worker, ids_notice notice);

static inline bool ids_worker_may(const ids_worker *worker, ids_work kind) {
    return worker->work[kind] < IDS_WORK_A_TURN;
}
static inline void ids_worker_worked(ids_worker *worker, ids_work kind,
                                     uint32_t units, size_t bytes) {
    worker->work[kind] += units + (uint32_t)(bytes >> 10);
}
static inline bool ids_worker_may_read(const ids_worker *worker) {
    return worker->work[IDS_WORK_SERVE] + worker->work[IDS_WORK_WAKE] <
           IDS_WORK_A_TURN;
}

/* An error is answered to what is served now. */
static inline void ids_worker_refuses(ids_worker *worker, idp_error error) {
    ids_count_error(&worker->counters, error);
    worker->measures.refused[worker->measures.asked]++;
}

/* There is more to do at once: connections to be looked at, replies that may
 * leave. */
static inline bool ids_worker_has_more(const ids_worker *worker) {
    return worker->dirty.head || ids_commit_gate_has_more(&worker->gate);
}

/* Requests, ever: of its own connections, and by messages of other loops'. */
static inline uint64_t ids_worker_asked(const ids_worker *worker) {
    return worker->counters.of[IDS_REQUESTS_TOTAL] + worker->pace.by_others;
}

/* They come, thousands a second. Then what need not be done at once is done
 * in smaller pieces, so that the next call waits less. */
bool ids_worker_is_asked(ids_worker *worker);

/* Such pieces, each of some 50 us, of one kind, while calls come: a few in a
 * millisecond, the fewer the busier the worker was lately; one at least. */
typedef struct ids_pieces {
    uint64_t at_ms;
    uint32_t count; /* that were taken in that millisecond */
} ids_pieces;

/* One more may be taken now; else in the next millisecond. */
bool ids_worker_has_piece(const ids_worker *worker, const ids_pieces *pieces);

void ids_worker_take_piece(const ids_worker *worker, ids_pieces *pieces);

/* This worker's counters, the shard's among them. */
void ids_worker_count(const ids_worker *worker, ids_counters *counters);

/* Where the sequences of this loop's tokens begin, in each epoch. */
uint64_t ids_worker_sequence(uint32_t index);

/* The loop itself as an asker. */
ids_asker ids_worker_asker(uint32_t index);

static inline uint32_t ids_asker_loop(ids_asker asker) {
    return (uint32_t)(asker >> 54);
}

#endif
