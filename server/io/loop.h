/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h -- one thread's turn: libuv's loop around a line.
 *
 * A turn is: the sockets that are ready, then the messages, then what time has
 * made due; then the messages that came of it are posted and the loop sleeps.
 * The clock is read at its first event, and again once bytes or messages were
 * taken: what they ask for may not begin before it was there. A loop that was
 * away for longer than a turn takes looks at its sockets once more before what
 * is due: the renewal may lie there. */
#ifndef IDS_LOOP_H
#define IDS_LOOP_H

#include "server/memory/pages.h"
#include "server/net/net.h"

#include <uv.h>

struct ids_log_writer;
struct ids_snapshots;
struct ids_barrier;
struct ids_store;

typedef struct ids_loop {
    uv_loop_t uv;
    ids_line *line;
    ids_worker *worker; /* the line's */
    ids_pages *pages;
    ids_net net;
    ids_loop_limits *limits; /* NULL: none yet */
    ids_turn turn;           /* with its log and its replication state */
    /* Set before it runs: see ids_loop_keeps and ids_loop_sits. */
    struct ids_log_writer *log_writer; /* NULL: nothing is kept */
    struct ids_snapshots *snapshots;   /* the first's; NULL: the same */
    struct ids_barrier *barrier;       /* NULL: the node has no peer */
    /* What libuv calls, and when it has to. */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_async_t wake;
    uv_timer_t timer;
    uv_idle_t busy;     /* active: don't sleep, there is work left */
    uint64_t due_ms;    /* the soonest that is due, at the last turn's end */
    uint64_t armed_ms;  /* when the timer fires; UINT64_MAX: it doesn't */
    uint64_t polled_ms; /* when its sockets were looked at last */
    bool looks_again;   /* before what is due: it has been away */
} ids_loop;

typedef struct ids_loop_config {
    const ids_server *server;
    uint32_t index;
    ids_places *places; /* of the whole server */
    ids_tls *tls;       /* so, too; NULL: there is no certificate */
    const struct ids_http_policy *http; /* so, too */
    const struct ids_proxies *proxies;
    size_t memory_bytes_max;
    size_t idle_bytes_max;  /* see pages.h */
    ids_prefault *prefault; /* may be NULL */
    uint32_t waiters_max;
    uint32_t waiters_per_key_max;
    bool is_kept;       /* it will have a log writer */
    bool is_replicated; /* and replication state */
    bool huge_pages;
} ids_loop_config;

/* 0, or libuv's error. Any thread, before the loop runs. */
int ids_loop_init(ids_loop *loop, const ids_loop_config *config);

/* Before it runs: its changes are kept, and the first loop sees to
 * snapshots, too; it has a part in the replicator. */
void ids_loop_keeps(ids_loop *loop, struct ids_store *store);
void ids_loop_sits(ids_loop *loop, ids_repl *repl, struct ids_barrier *barrier);

/* Goes by these limits from now on, which outlive its run or the next ones: its
 * use of those before ends. On its thread, or before it runs. */
void ids_loop_take_limits(ids_loop *loop, ids_loop_limits *limits);

/* Runs until ids_loop_stop, or a notice to stop. */
void ids_loop_run(ids_loop *loop);

/* After it ran, or when it never did. */
void ids_loop_fini(ids_loop *loop);

/* Any thread. */
void ids_loop_wake(ids_loop *loop);

/* On its own thread only. Parked acquires are told, connections closed when
 * their replies left. */
void ids_loop_drain(ids_loop *loop);

/* The same. Closes everything of its own; ids_loop_run returns soon. */
void ids_loop_stop(ids_loop *loop);

#endif
