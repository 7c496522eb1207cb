/* SPDX-License-Identifier: Apache-2.0 */
/* peer_world.h -- two to five nodes as the daemon has them (server/node), their
 * clients, an operator and a hostile network: one virtual clock, one seed, and
 * who looks on. No rule is kept here. */
#ifndef SIM_PEER_WORLD_H
#define SIM_PEER_WORLD_H

#include "server/line/reader.h"
#include "server/node/turn.h"
#include "tests/lib/rng.h"
#include "tests/sim/peer_config.h"
#include "tests/sim/peer_text.h"

#include <string.h>

enum {
    PW_NODES = 5, /* more than two in some worlds only */
    PW_LOOPS_MAX = 3,
    PW_CLIENTS_MAX = 5,
    PW_OPERATORS = 2, /* who decide; numbered behind the clients */
    PW_PROMISES = 16,
    PW_KEYS_MAX = 10,
    PW_OPS_MAX = 4096,
    PW_EPOCHS_MAX = 128,
    PW_TRACE_LINES = 4096,
    PW_TRACE_COLUMNS = 160
};

typedef struct pw_world pw_world;
typedef struct pw_event pw_event;
typedef struct pw_link pw_link;
typedef struct pw_wire pw_wire;

/* A record as a node has it, in the world's time. */
typedef struct pw_snap {
    idp_state state; /* ABSENT: none */
    idp_token token;
    uint64_t epoch; /* of the primary that had it so */
    uint64_t made;  /* what was made later has a higher one */
    pw_text fingerprint, nonce, result;
    uint64_t lease_ms, ttl_ms;
    uint64_t lease_end, ttl_end;
    bool has_result;
} pw_snap;

/* When a key was last changed: by which loop's number, in which epoch. */
typedef struct pw_changed {
    uint64_t epoch, number;
    uint32_t loop;
} pw_changed;

/* A reply: what it says, and the record as it was when it was made. */
typedef struct pw_reply {
    uint32_t op, try;
    int node;
    uint32_t worker;
    uint64_t number; /* the worker's last as it was made */
    uint64_t made_at;
    uint64_t epoch;
    bool changed;
    idp_error error;
    idp_answer answer;
    pw_text result;
    pw_snap snap;
} pw_reply;

/* A request that was sent: its msgid is its place here. */
typedef struct pw_call {
    uint32_t op, try;
    bool is_made, has_left;
    bool on_record; /* a decision's */
    pw_reply reply; /* if it is made */
} pw_call;

/* A chunk that was on its way once. */
typedef struct pw_stale {
    uint8_t *bytes;
    size_t len;
    uint64_t session;
} pw_stale;

/* A record or a change on its way to the medium. */
typedef struct pw_entry {
    struct pw_entry *next;
    size_t len;
    uint8_t bytes[];
} pw_entry;

typedef struct pw_queue {
    pw_entry *first, *last; /* last: if there is a first */
} pw_queue;

/* One worker's log on the medium, and its part of a snapshot. */
typedef struct pw_log {
    ids_shard *records; /* what a start would find */
    uint64_t synced;    /* all of this life up to here is on it */
    pw_queue behind;    /* since the snapshot under way began */
    pw_queue snapshot;  /* what of it is written */
} pw_log;

/* What outlives the process, where it keeps its memory. */
typedef struct pw_disk {
    bool is_there;
    pw_log log[PW_LOOPS_MAX];
    uint64_t incarnation; /* 0: none yet */
    bool replaced;        /* the records are another history's than the log */
    bool collects;        /* a snapshot is under way */
    bool given_up;
    unsigned round;
    uint32_t parts_left;
    uint64_t then_ms; /* its clock as it crashed */
    uint32_t wait_ms; /* for a write, at most */
} pw_disk;

/* A copy of that, and of what is recorded, from before. */
typedef struct pw_backup {
    bool is_there;
    ids_shard *shard[PW_LOOPS_MAX];
    uint64_t then_ms;
    ids_decision cell;
    uint64_t incarnation; /* the folder's; 0: it would take a new one */
} pw_backup;

/* One worker: a thread of the daemon. */
typedef struct pw_worker {
    struct pw_node *n;
    ids_turn turn;
    ids_line *line;
    ids_worker *ids; /* the line's */
    ids_worker_log worker_log;
    const ids_batch *batch; /* under way to the medium */
    ids_worker_log_task task;
    ids_worker_log_news news;
    bool has_news;
    bool turn_due;
    bool parked;
    bool changed; /* the call that is being carried out has changed a record */
} pw_worker;

typedef struct pw_node {
    pw_world *w;
    int index;
    bool up;
    bool started;  /* its start is on record, and its workers run */
    bool crashing; /* no one hears of it */
    uint32_t life; /* counts its starts; events of an older one are void */
    uint64_t paused_until;
    uint64_t skew_ms;
    uint32_t loops;
    ids_server server;
    ids_mailbox boxes[PW_LOOPS_MAX];
    pw_worker worker[PW_LOOPS_MAX];
    ids_replicator replicator;
    ids_peer *peer;    /* the replicator's */
    ids_decision cell; /* on its disk */
    ids_decision recorded;
    bool writing;
    ids_decision to_write;
    void (*step)(ids_replicator *replicator); /* that workers stand still for */
    bool keeps;                               /* its memory outlives it (R5) */
    pw_disk disk;
    pw_backup backup;
    bool cell_is_copy, memory_is_copy; /* put back, and not begun since */
    bool memory_is_old; /* so it was; not led, and no copy loaded since */
    pw_snap truth[PW_KEYS_MAX];
    pw_changed changed[PW_KEYS_MAX]; /* as it leads: by its own changes */
    bool decides, deletes;           /* the call that is being carried out */
    uint64_t led_epoch;              /* that the checker knows of */
    uint64_t loss_epoch; /* the operator accepted loss with this one */
    uint64_t slow_ms;
    uint64_t session_seen, session_heard, joined_seen;
    int follows;                 /* whom it is told to replicate from */
    uint64_t came[PW_LOOPS_MAX]; /* up to here something has, by stream */
    uint64_t came_epoch;         /* of this epoch */
} pw_node;

typedef struct pw_op {
    int client;
    uint32_t key;
    idp_request request; /* its slices point here: */
    pw_text nonce, fingerprint, result;
    idp_token token;
    idp_token granted; /* to its nonce, by the last primary it reached */
    uint32_t try;
    int target;
    uint64_t begun, until, wait_until;
    bool done;
    bool completes; /* a complete with its result was sent */
    enum { PW_ACQUIRES, PW_ENDS, PW_DECIDES } phase;
    bool again; /* it was decided, so, and is asked again */
    idp_outcome decided;
    uint32_t losses, clashes; /* by then, */
    uint32_t erasings;        /* and as it was asked first */
} pw_op;

typedef struct pw_epoch {
    uint64_t epoch, incarnation;
    int node;
    uint64_t passed[PW_LOOPS_MAX]; /* the highest number a reply left with */
    uint64_t base[PW_LOOPS_MAX];   /* where the next primary took over */
    bool over;                     /* someone took over from it */
    bool lost;                     /* someone accepted that it is lost */
} pw_epoch;

/* What a memory would bring to a promotion. */
typedef struct pw_reach {
    uint64_t incarnation, epoch, at[PW_LOOPS_MAX];
} pw_reach;

/* A detached node, in the operator's book. */
typedef struct pw_detached {
    uint64_t epoch, version;
    int by;
    uint64_t session; /* the one that it ended */
    uint64_t since;   /* the latest that began after it */
} pw_detached;

struct pw_world {
    idt_rng rng;
    struct aw_world *agents; /* NULL: an operator decides */
    pw_config config;
    uint64_t seed, now, start, end_of_chaos;
    pw_event *heap;
    uint32_t heap_len, heap_cap;
    uint64_t event_seq, made;
    pw_node node[PW_NODES];
    pw_link *links;
    pw_wire *wires;
    pw_call *calls;
    uint32_t call_count, call_cap;
    bool cut[PW_NODES];       /* from this node nothing gets through */
    pw_stale fresh[PW_NODES]; /* per direction, of the latest session */
    pw_stale stale[PW_NODES]; /* and of one before it */
    pw_op op[PW_OPS_MAX];
    uint32_t ops;
    uint32_t client_op[PW_CLIENTS_MAX + PW_OPERATORS];
    bool quiet; /* faults have stopped */
    bool clients_stop;
    /* The operator's book. */
    uint64_t epoch_next;
    bool command_under_way;
    bool operator_waits;
    pw_detached detached[PW_NODES]; /* each for the last time */
    uint64_t detaching;             /* who: its number */
    int points_to;                  /* where the primary's name leads */
    /* The checker. */
    pw_snap acked[PW_KEYS_MAX];
    pw_snap promised[PW_KEYS_MAX][PW_PROMISES]; /* as it ended, where it did */
    uint32_t promises[PW_KEYS_MAX];
    idp_token highest[PW_KEYS_MAX];
    /* The last claim that was dropped, and the last that was released or
     * renewed to end sooner. */
    idp_token dropped[PW_KEYS_MAX], released[PW_KEYS_MAX];
    idp_token deleted[PW_KEYS_MAX]; /* and by an operator, completed or not */
    bool decides;                   /* operators decide what became of claims */
    uint32_t decided, asked_again, erased, unrecorded;
    uint32_t erasings[PW_KEYS_MAX]; /* begun, of that key */
    int mutant;                     /* of mutant.h: a fault in each shard */
    pw_epoch epochs[PW_EPOCHS_MAX];
    uint32_t epoch_count;
    pw_reach reach[PW_EPOCHS_MAX]; /* a ring */
    uint32_t reach_count;
    uint32_t flipped, unreplicated, stood_down;
    uint32_t unsealed; /* connections that TLS ended */
    uint32_t quiesced, snapshots, denied;
    uint32_t refused; /* a third node was, in peace */
    uint32_t groups;  /* worlds in which a primary has several replicas */
    uint32_t level;   /* times that both had the same numbers */
    uint32_t chosen;  /* switchovers to one of two */
    uint32_t strangers, clashes, records_lost, put_back;
    uint64_t clash_epoch;
    uint64_t void_before; /* epochs below it are of a clash, or older */
    bool clashed;         /* two lead in one epoch: nothing holds until one is
                           * chosen */
    uint32_t kept;        /* starts with a memory */
    uint32_t leads, losses, swaps, resumed, by_key, acknowledged, compared,
        switched;
    uint64_t loss_before; /* epochs below it may be known in part */
    bool failed;
    char failure[256];
    bool replies_only; /* the checker may look at nothing else */
    bool seals;        /* the nodes speak TLS with each other */
    bool drips;        /* and what they say comes a byte at a time, at first */
    bool tracing;
    char (*trace)[PW_TRACE_COLUMNS];
    uint64_t traced;
};

/* Events. what gets the world, the node (or -1), and a word; an event of a
 * node's older life is dropped, one of a paused node waits. */
typedef void pw_happens(pw_world *w, int node, uint64_t word);
struct pw_event {
    uint64_t at, seq;
    pw_happens *what;
    int node;
    uint32_t life;
    uint64_t word;
};
void pw_later(pw_world *w, uint64_t ms, pw_happens *what, int node,
              uint64_t word);

bool pw_fail(pw_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pw_say(pw_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint32_t pw_below(pw_world *w, uint32_t bound);
bool pw_chance(pw_world *w, uint32_t percent);
static inline uint64_t pw_us(const pw_world *w) {
    return w->now - w->start;
}
static inline int pw_nodes(const pw_world *w) {
    return w->config.nodes;
}
static inline char pw_name(int node) {
    return (char)('A' + node);
}

/* The world. False: it failed, and says why. */
bool pw_run(pw_world *w, uint64_t seed);
pw_node *pw_primary(pw_world *w);
/* One that follows it; NULL: nobody does. */
pw_node *pw_replica_of(pw_world *w, const pw_node *primary);
/* The place that this node has at a primary; NULL: it does not follow that. */
const ids_follower *pw_place_of(const pw_node *primary, const pw_node *n);
/* Changes of this stream are put into its memory, wherever that gets to. */
void pw_note_routed(pw_node *n, const ids_batch_tag *tag);
uint64_t pw_session_with(const pw_node *primary, uint64_t node); /* 0: none */
bool pw_anyone_can_follow(const pw_node *n); /* if this one is gone */
/* In sync, for a reply of a change to leave: --min-in-sync. */
bool pw_are_enough(pw_world *w, const pw_reply *r);
bool pw_in_peace(pw_world *w);
void pw_say_all(const pw_world *w);
void pw_point_at_primary(pw_world *w);
int pw_node_named(const pw_world *w, int from, const char *name);
void pw_run_until(pw_world *w, uint64_t until);
bool pw_clash_goes_on(pw_node *n, uint64_t epoch);
bool pw_clash(pw_world *w); /* false: it failed */
bool pw_promote(pw_node *n, uint64_t epoch, bool accept_loss);
void pw_lose_record(pw_world *w);
void pw_stranger(pw_world *w);

/* Nodes. */
uint64_t pw_clock(const pw_node *n);
uint32_t pw_clock_cut_ms(const pw_node *n);
uint64_t pw_draw_epoch(pw_node *n); /* never the same twice */
void pw_node_start(pw_node *n);
void pw_node_crash(pw_node *n);
void pw_node_after(pw_node *n);
void pw_node_free(pw_node *n);
void pw_node_detached(pw_node *n, uint64_t whom); /* as its disk says */
void pw_note_lead(pw_node *n);
ids_node_driver pw_driver(pw_node *n);
ids_mem pw_mem(void);
static inline uint64_t pw_last(const pw_node *n, uint32_t worker) {
    return n->worker[worker].ids->gate.changes;
}

/* Their workers. */
bool pw_workers_make(pw_node *n);
void pw_workers_free(pw_node *n);
pw_worker *pw_worker_begins(pw_node *n, uint32_t worker);
bool pw_worker_waits(const pw_node *n, uint32_t worker);
void pw_worker_wake(pw_node *n, uint32_t worker); /* within ms */
void pw_worker_after(pw_worker *worker);          /* its turn ends, or soon */
void pw_worker_flush(pw_worker *worker);
void pw_quiesce(pw_node *n, void (*step)(ids_replicator *replicator));

/* Who looks on as things are made: see peer_look.c. */
uint32_t pw_key_of(idp_slice key);
uint64_t pw_promised_end(const pw_world *w, uint32_t key, const pw_snap *s);
pw_snap pw_snap_of(const pw_node *n, const ids_change *c);
void pw_free_event(const pw_event *event);

/* What is kept. */
bool pw_worker_logs_make(pw_node *n);
void pw_disk_replaced(pw_node *n);
void pw_disk_maybe_snapshot(pw_node *n);
void pw_disk_crash(pw_node *n);
void pw_disk_recover(pw_node *n);
void pw_disk_free(pw_node *n);
void pw_disk_copy(pw_node *n, ids_shard *const *from, uint64_t then_ms,
                  ids_shard **to);
void pw_shards_free(pw_node *n, ids_shard **shards);
void pw_maybe_put_back(pw_node *n);
void pw_backup_free(pw_node *n);

/* The network: ends of connections, as a worker has them. */
typedef struct pw_end {
    bool is_link;
    pw_wire *wire;
    pw_link *link;
} pw_end;
bool pw_net_open(pw_node *n, ids_peer_conn *conn);
size_t pw_net_send(pw_node *n, ids_peer_conn *conn, const uint8_t *bytes,
                   size_t len);
void pw_net_send_early(pw_node *n, pw_link *link, idp_slice bytes);
void pw_net_close(pw_node *n, ids_peer_conn *conn);
void *pw_net_part(ids_peer_conn *conn);
void pw_net_take(pw_worker *worker, ids_conn *conn); /* it is another node */
void pw_net_closed_early(pw_node *n, pw_link *link);
void pw_net_after(pw_world *w);
void pw_net_crash(pw_node *n);
void pw_net_resume(pw_node *n);
void pw_net_free(pw_world *w);

/* Clients' connections. */
void pw_wire_send(pw_world *w, uint32_t op);
void pw_wire_out(pw_worker *worker, pw_wire *wire, idp_slice bytes);
void pw_wire_closed(pw_wire *wire);
void pw_wires_crash(pw_node *n);
void pw_wires_free(pw_world *w);
pw_call *pw_call_of(pw_world *w, uint32_t msgid);

/* Clients, operator, nemesis. */
void pw_clients_start(pw_world *w);
void pw_client_hears(pw_world *w, const pw_reply *reply);
bool pw_probe(pw_world *w); /* starts one more job; false: it was refused */
void pw_operator(pw_world *w, int node, uint64_t word);
void pw_nemesis(pw_world *w, int node, uint64_t word);
void pw_crash(pw_world *w, pw_node *n); /* for a while */

/* The checker: what it is told. */
void pw_check_reply(pw_world *w, const pw_reply *reply, const pw_op *op);
void pw_check_lead(pw_node *n, uint64_t epoch);
void pw_check_recorded(pw_node *n);
void pw_check_joined(pw_node *r);
void pw_check_copy(pw_world *w, bool always);
void pw_check_limits(pw_world *w);
void pw_check_status(pw_node *n);
void pw_note_reach(pw_node *n);
void pw_note_crash(pw_node *n);

#endif
