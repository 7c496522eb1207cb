/* SPDX-License-Identifier: Apache-2.0 */
/* replicator.h -- the node's peer: one monitor that all workers enter, and each
 * worker's replication state in it.
 *
 * server/peer is pure and one object; here a lock of the driver's stands around
 * it. A worker enters at most once per turn and once per read from another
 * node, never per request, makes no system call inside, and takes out what it
 * needs until the next time: up to which change replies may leave, what may be
 * served, of which streams frames may be made. So what happens inside is one
 * step after the other. Its changes and its frames it writes outside: they are
 * its own (ids_peer_keep, ids_sender_next), and inside only numbers of them are
 * told.
 *
 * The link of stream k lives on worker k, on a replica with fewer workers on k
 * modulo their number. The first worker has decisions recorded, takes the
 * operator's commands, and takes the steps for which all stand still: a
 * promotion and the swap of a whole copy happen on all workers or on none. */
#ifndef IDS_REPLICATOR_H
#define IDS_REPLICATOR_H

#include "server/node/driver.h"
#include "server/node/holdings.h"
#include "server/node/intake.h"
#include "server/node/quiesce.h"
#include "server/node/worker_log.h"
#include "server/peer/peer.h"
#include "server/worker/commands.h"
#include "server/worker/worker.h"

/* One worker's. What is not the monitor's is the worker's own. */
typedef struct ids_repl {
    struct ids_replicator *replicator;
    ids_worker *worker;
    ids_worker_log *worker_log; /* NULL: nothing is kept */
    ids_peer_conn *conns;
    atomic_bool called;    /* there is something to look at */
    bool is_quiet;         /* its worker has ended */
    bool is_busy;          /* a link has more to say than it took */
    bool is_slow;          /* the replica's disk is */
    bool is_full;          /* the disk is behind: a replica reads no streams */
    ids_pieces walked;     /* frames of walks, beside calls */
    bool walk_waits;       /* one waits for a ms; a link can take it */
    uint64_t commit_index; /* what the peer lets leave, as it was last seen */
    ids_intake intake;     /* of this stay */
    /* The monitor's. */
    ids_peer_conn *to_open;
    uint64_t drop_session; /* a staging copy that is given up; 0: none */
} ids_repl;

/* An order of the operator's that is under way. */
typedef struct ids_replicator_command {
    ids_command_request request;
    ids_group group; /* CONFIG, OFFER: what request points to */
    ids_group_member whom;
    bool is_there, is_begun;
    uint64_t epoch;    /* to be reached */
    uint64_t until_ms; /* then it is given up */
} ids_replicator_command;

typedef struct ids_replicator_config {
    ids_peer_config peer;    /* but driver and decisions, which are set here */
    size_t key_rings_bytes;  /* of all workers; 0: none */
    uint64_t commit_wait_ms; /* then a reply is not waited for any more */
    uint64_t tick_ms;        /* so often time is looked at */
    uint64_t busy_ms;        /* for so long a command is tried, */
    uint64_t effect_ms;      /* and its effect waited for */
    const char *record_path; /* where decisions are kept, for the log */
} ids_replicator_config;

/* The times of a daemon. */
#define IDS_REPLICATOR_TICK_MS   25
#define IDS_REPLICATOR_BUSY_MS   2000
#define IDS_REPLICATOR_EFFECT_MS 5000

typedef struct ids_replicator {
    ids_replicator_config config;
    ids_node_driver driver;
    ids_quiesce quiesce;
    uint32_t repls_count;
    ids_repl *repls; /* one per worker */
    /* The monitor's. */
    ids_peer *peer;
    ids_repl *here;         /* who is inside */
    uint64_t entered_ns;    /* since when */
    atomic_bool has_chores; /* for the first worker */
    bool dial_failed;
    bool has_proposal;
    ids_decision proposal;
    ids_holdings holdings;
    ids_role_state role_state; /* as all workers shall have it */
    uint64_t gaps_ms;          /* of the clock, as the peer was told */
    struct {
        uint64_t news, version, switch_epoch;
        bool leading, due;
        /* By time alone: who is silent is missed, and is no news. */
        idp_error changing, showing;
    } seen; /* of the peer; where it changes, all workers look */
    /* The first worker's. */
    uint64_t tick_at_ms;
    bool is_recording;
    bool wants_swap;
    uint64_t swap_from_ms; /* not before */
    int logged_error;      /* the last that the log was told; 0: it went well */
    ids_replicator_command command;
    ids_peer_status logged; /* what the log was told last */
    uint64_t slow_logged_ms;
} ids_replicator;

/* No worker runs yet: makes the node's peer out of what is recorded, and
 * proposes its start (replicator->proposal), which is to be recorded before
 * anything else; then start. One worker per worker, and its log, if changes
 * are kept (else NULL). False: no memory. */
bool ids_replicator_begin(ids_replicator *replicator,
                          const ids_replicator_config *config,
                          const ids_node_driver *driver,
                          const ids_decision *recorded,
                          ids_worker *const *workers,
                          ids_worker_log *const *worker_logs);

/* That is on record: the node takes its role. */
void ids_replicator_start(ids_replicator *replicator,
                          const ids_decision *recorded);

/* The workers have ended. */
void ids_replicator_close(ids_replicator *replicator);

/* For ids_server: what an operator asks. */
ids_command_handler ids_replicator_handler(ids_replicator *replicator);

/* The first worker's: the digest of its settings is another one now. */
void ids_replicator_set_settings(ids_replicator *replicator, uint64_t settings);

/* The first worker's: what the driver was asked to record is on the medium (0);
 * or it is not, for this reason (an errno), and what was recorded before surely
 * stands. */
void ids_replicator_recorded(ids_replicator *replicator, int error);

/* A worker's calls; see turn.h for the end of a turn ----------------------- */

uint64_t ids_repl_next_ms(const ids_repl *repl);

/* Another node has connected: the socket and what was read of it are the
 * worker's now. */
void ids_repl_accept(ids_repl *repl, void *socket, idp_slice read);

/* The process stood still, gaps times by now: the peer hears for how long, and
 * what has come from the other node is read, before any call is. */
void ids_repl_stood_still(ids_repl *repl, uint64_t gaps, uint64_t all_ms);

/* The other node was there, last. */
bool ids_repl_knows_host(ids_repl *repl, const char *host);

/* In the middle of a turn that has made many changes: takes them. */
void ids_repl_hand_over(ids_repl *repl);

/* Before a record that came by message is put. */
bool ids_repl_is_current(ids_repl *repl, const ids_batch_tag *tag);

/* The worker ends; the others go on for a while. It may not be asked to stand
 * still any more: see quiesce.h. */
void ids_repl_quiet(ids_repl *repl);

/* There is news of a peer connection's. */
static inline void ids_repl_call(ids_repl *repl) {
    atomic_store_explicit(&repl->called, true, memory_order_release);
}

/* early.c's: an accepted one that is no link yet; bytes of it. */
bool ids_early_is(const ids_peer_conn *conn);
void ids_early_take(ids_repl *repl, ids_peer_conn *conn, idp_slice bytes);

/* Between replicator.c and its neighbours ---------------------------------- */

static inline bool ids_repl_is_first(const ids_repl *repl) {
    return repl == repl->replicator->repls;
}

/* The first worker's, outside of the monitor: decisions to be recorded, a
 * command to be looked at. swap_if_due, as the last of a turn: a copy that is
 * whole takes the old one's place; true: the next turn should come soon. */
void ids_replicator_chores(ids_replicator *replicator);
bool ids_replicator_swap_if_due(ids_replicator *replicator);
void ids_replicator_look_at_command(ids_replicator *replicator);
/* The one under way could not be recorded. */
void ids_replicator_fail_command(ids_replicator *replicator, int error);
void ids_replicator_say_start(ids_replicator *replicator,
                              const ids_decision *recorded);
void ids_replicator_say(ids_replicator *replicator, const ids_peer_status *now);
void ids_replicator_say_refusal(const ids_refusal *refusal);

/* Outside of the monitor: the turn's changes go where its streams read them. In
 * there the peer is told of them, by ids_peer_took. */
void ids_repl_keep(ids_repl *repl);

/* Within the monitor: this worker looks soon; its worker does what the
 * peer may do now. */
void ids_replicator_wake(ids_repl *repl);
void ids_replicator_show(ids_replicator *replicator, ids_repl *repl);
void ids_replicator_work_out(ids_replicator *replicator);
void ids_replicator_gauge(ids_role_state *role_state,
                          const ids_peer_status *status);
/* All workers do that already. */
bool ids_replicator_is_shown(ids_replicator *replicator);
void ids_replicator_wake_all(ids_replicator *replicator);

/* peer_driver.c's. */
ids_peer_driver ids_replicator_driver(ids_replicator *replicator);

/* Enters and leaves the monitor, from a worker's thread. */
ids_peer *ids_replicator_enter(ids_repl *repl);
void ids_replicator_leave(ids_repl *repl);

#endif
