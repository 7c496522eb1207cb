/* SPDX-License-Identifier: Apache-2.0 */
/* line.h -- one worker's line: connections, their requests, and what comes by
 * message, around its worker.
 *
 * Sans I/O: who turns the loop (libuv in io/, a plain function in a test) is
 * the driver. A turn is: ids_line_take_messages, ids_reader_input of what has
 * come, ids_line_begin_turn, ids_line_tick if that is due, ids_line_end_turn;
 * then the worker posts its messages. */
#ifndef IDS_LINE_H
#define IDS_LINE_H

#include "server/admin/inquiry.h"
#include "server/admin/polls.h"
#include "server/admin/tally.h"
#include "server/admin/watch.h"
#include "server/line/admit.h"
#include "server/line/erase.h"
#include "server/worker/worker.h"

/* The driver reads up to IDS_INPUT_BYTES into ids_line_input_room; what lies
 * before it is the worker's, to put the head of a partial frame there. */
#define IDS_INPUT_BYTES    (64u << 10)
#define IDS_INPUT_HEADROOM (16u << 10)

/* While half of the buffers are in use. */
#define IDS_INPUT_BYTES_LOW (2u << 10)

#define IDS_SPARE_INPUTS 8

#define IDS_BATCH_MAX 32

typedef struct ids_item {
    idp_request request;
    uint64_t hash;
    ids_asker asker;
    const uint8_t *frame;
    uint32_t frame_bytes;
    uint32_t owner;
    uint32_t by;   /* acquire: see ids_call */
    uint8_t flags; /* IDS_MESSAGE_MAY_... */
} ids_item;

/* Requests of several connections that are served together: gather.h. */
#define IDS_GATHERED_MAX   16
#define IDS_GATHERED_BYTES (2u << 10) /* a request, at most */
typedef struct ids_gather {
    uint32_t count;
    ids_conn *conns[IDS_GATHERED_MAX]; /* NULL: it has gone */
    ids_item items[IDS_GATHERED_MAX];
    uint8_t *bytes; /* room for each of them */
} ids_gather;

/* Large buffers for input that are free: input.h. */
typedef struct ids_spare_inputs {
    idp_bytes of[IDS_SPARE_INPUTS];
    uint32_t count;
    uint64_t since_ms; /* the last one came */
} ids_spare_inputs;

typedef struct ids_line_driver {
    void *ctx;
    /* This connection is yours from now on: watch its fd. */
    void (*adopt)(void *ctx, ids_conn *conn);
    /* There was no memory to take it in: close it. */
    void (*refuse)(void *ctx, ids_conn *conn);
    void (*notice)(void *ctx, ids_notice notice);
    void (*limits)(void *ctx, ids_loop_limits *limits);
    /* A batch was taken, and what is in it begins now: sets now_ms. NULL:
     * time stands still in a turn. */
    void (*look_at_clock)(void *ctx);
    /* The machine's clock, for measures. NULL: nobody measures. */
    uint64_t (*clock_ns)(void);
    /* Whether the client certificate that it has shown is good by today's
     * authority and clock. NULL: it is. */
    bool (*cert_holds)(void *ctx, const ids_conn *conn);
} ids_line_driver;

typedef struct ids_line {
    ids_worker worker;
    uint8_t *input;       /* headroom and room, one block */
    uint32_t serve_until; /* the connection that is served now */
    bool drains_waiters;  /* some have not heard of it yet */
    ids_list for_room;    /* connections that wait for room to forward */
    ids_message_batch
        *opened; /* messages that are carried out in part; NULL: none */
    size_t opened_at;
    ids_spare_inputs spare;
    ids_watch watch;
    ids_inquiries inquiries;
    ids_admission admission;
    ids_tally tally;
    ids_polls polls;
    ids_erasings erasings; /* under way */
    ids_line_driver driver;
    ids_item batch[IDS_BATCH_MAX];
    ids_gather gather;
} ids_line;

typedef struct ids_line_config {
    const ids_server *server;
    uint32_t index;
    ids_line_driver driver;
    ids_worker_driver worker_driver;
    size_t memory_bytes_max; /* the shard's, where the server has no pools */
    uint32_t waiters_max;
    uint32_t waiters_per_key_max;
    uint32_t clock_cut_ms; /* see ids_shard_config */
    bool is_kept;          /* a journal will be there before the first call */
    bool is_replicated; /* the node has a peer: the worker follows until it is
                         * told to lead */
    ids_mem mem;
} ids_line_config;

/* NULL: out of memory. */
ids_line *ids_line_new(const ids_line_config *config);

/* Its connections must have been dropped. */
void ids_line_free(ids_line *line);

static inline uint8_t *ids_line_input_room(ids_line *line) {
    return line->input + IDS_INPUT_HEADROOM;
}

/* Takes and carries out what has come by message. */
void ids_line_take_messages(ids_line *line);

/* A turn's last part begins: its work is none yet. Connections that waited for
 * room to forward are served on. */
void ids_line_begin_turn(ids_line *line);

/* Does what time has made due, of its shard's records at most so many; and
 * when there is next something to do. */
void ids_line_tick(ids_line *line, uint32_t steps_max);
uint64_t ids_line_next_ms(const ids_line *line);

/* The last that it does before its worker's turn ends: inquiries go out, and
 * some are answered. True: there is more to do, without anything new; the next
 * turn should come soon. */
bool ids_line_end_turn(ids_line *line);

/* Stops serving: waiters hear SHUTTING_DOWN, and so does who asks now. */
void ids_line_drain(ids_line *line);

/* Whether the connection that is served may have another request served. */
static inline bool ids_line_serves(const ids_line *line) {
    const uint32_t *work = line->worker.work;
    return work[IDS_WORK_SERVE] + work[IDS_WORK_WAKE] < line->serve_until;
}

#endif
