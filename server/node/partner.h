/* SPDX-License-Identifier: Apache-2.0 */
/* partner.h -- the node's peer in the daemon: one monitor that all loops
 * enter, and each loop's seat at it.
 *
 * server/peer is pure and one object; here a lock stands around it. A loop
 * enters at most once per wake-up and once per read from another node, never
 * per request, makes no system call inside, and takes out what it needs
 * until the next time: up to which change replies may leave, what may be
 * served, what is to be sent. So what happens inside is one step of the
 * simulation after the other.
 *
 * The link of stream k lives on loop k, on a replica with fewer loops on k
 * modulo their number. The first loop records decisions, takes the
 * operator's orders, and takes the steps that need a standstill: a promotion
 * and the swap of a whole copy happen on all loops or on none. */
#ifndef IDS_PARTNER_H
#define IDS_PARTNER_H

#include "server/config.h"
#include "server/io/decisions.h"
#include "server/io/standstill.h"
#include "server/node/cable.h"
#include "server/peer/peer.h"

struct ids_store;

/* One loop's. What is not the monitor's is the loop's own. */
typedef struct ids_seat {
    struct ids_partner *partner;
    ids_loop *loop;
    ids_cable *cables;
    atomic_bool called;  /* there is something to look at */
    bool is_quiet;       /* its loop has ended */
    bool is_busy;        /* a link has more to say than it took */
    bool is_slow;        /* the replica's disk is */
    bool is_full;        /* the disk is behind: a replica reads no streams */
    uint64_t walk_at_ms; /* a walk's next frame, beside calls */
    bool walk_waits;     /* one waits for that; a link can take it */
    uint64_t gate;       /* what the peer lets leave, as it was last seen */
    /* The monitor's. */
    ids_cable *to_open;
    uint64_t drop_session; /* a copy aside that is given up; 0: none */
} ids_seat;

/* An order of the operator's that is under way. */
typedef struct ids_partner_order {
    ids_order_request request;
    bool is_there, is_begun;
    uint64_t epoch;    /* to be reached */
    uint64_t until_ms; /* then it is given up */
} ids_partner_order;

typedef struct ids_partner {
    const ids_house *house;
    struct ids_store *store; /* set before begin; NULL: nothing is kept */
    const ids_config *config;
    ids_decisions_file file;
    bool is_open;
    ids_peer_config peer_config;
    uint64_t commit_wait_ms; /* then a reply is not waited for any more */
    ids_standstill still;
    uint32_t seats_count;
    ids_seat *seats; /* one per loop */
    pthread_mutex_t lock;
    /* The monitor's. */
    ids_peer *peer;
    ids_seat *here;         /* who is inside */
    atomic_bool has_chores; /* for the first loop */
    bool dial_failed;
    bool has_proposal;
    ids_decision proposal;
    ids_serving serving; /* as all seats shall have it */
    uint64_t gaps_ms;    /* of the clock, as the peer was told */
    struct {
        uint64_t session, version, switch_epoch;
        bool leading, joining, due;
    } seen; /* of the peer; where it changes, all seats look */
    /* The first loop's. */
    uint64_t tick_at_ms;
    uv_work_t work;
    bool is_writing;
    int write_error;
    bool still_stands; /* after an error: what was recorded before */
    int said_error;    /* the last that the log was told; 0: it went well */
    ids_decision written;
    ids_partner_order order;
    ids_peer_status said; /* what the log was told last */
    uint64_t slow_said_ms;
} ids_partner;

/* The first. The addresses in the flags; false: the log says which is bad. */
bool ids_partner_read(ids_partner *partner, const ids_config *config);

/* Takes the file of decisions. False: the log says why. listening: where
 * clients come, as bound. */
bool ids_partner_open(ids_partner *partner, const ids_house *house,
                      const char *listening);

/* A start without a peer: false, if the record of decisions says that this node
 * is one of two; the log says so, and which flag. With --accept-change that
 * record is put aside, and the epoch is above it. */
bool ids_partner_may_be_alone(const ids_config *config, ids_house *house,
                              const char *listening);

/* onrecord.c's: where the record is; whether the flags fit it. */
void ids_partner_state_path(const ids_config *config, const char *listening,
                            char path[static IDS_DECISIONS_PATH_BYTES + 64]);
bool ids_partner_flags_fit(const ids_config *config,
                           const ids_decision *recorded, const char *path);

/* All loops are there, none runs: the node takes up what is recorded. */
bool ids_partner_begin(ids_partner *partner, ids_loop *loops,
                       uint64_t incarnation);

/* The loops have ended. */
void ids_partner_close(ids_partner *partner);

/* For ids_house: what an operator asks. */
ids_order_taker ids_partner_taker(ids_partner *partner);

/* A loop's calls --------------------------------------------------------- */

/* At the end of each turn, behind the keeper's. True: turn again soon, there
 * is more. */
bool ids_seat_turn(ids_seat *seat);
uint64_t ids_seat_next_ms(const ids_seat *seat);

/* Another node has connected: the descriptor and what was read of it are the
 * seat's now. */
void ids_seat_accept(ids_seat *seat, int fd, idp_slice read);

/* The process stood still, gaps times by now: the peer hears for how long, and
 * what has come from the other node is read, before any call is. */
void ids_seat_stood_still(ids_seat *seat, uint64_t gaps, uint64_t all_ms);

/* The other node was there, last. */
bool ids_seat_knows_host(ids_seat *seat, const char *host);

/* In the middle of a turn that has made many changes: takes them. */
void ids_seat_hand_over(ids_seat *seat);

/* Before a record that came by mail is put. */
bool ids_seat_is_current(ids_seat *seat, const ids_parcel_tag *tag);

/* The loop ends; the others go on for a while. */
void ids_seat_quiet(ids_seat *seat);

/* A cable's: it brings bytes, there is news of it, it goes. */
void ids_seat_input(ids_seat *seat, ids_cable *cable, const uint8_t *bytes,
                    size_t len);
void ids_seat_call(ids_seat *seat);
void ids_seat_forget(ids_seat *seat, ids_cable *cable);

/* early.c's: an accepted one that is no link yet; bytes of it. */
bool ids_early_is(const ids_cable *cable);
void ids_early_take(ids_seat *seat, ids_cable *cable, idp_slice bytes);

/* Between partner.c and its neighbours ----------------------------------- */

/* The first loop's, outside of the monitor: decisions to be recorded, a copy
 * to be swapped, an order to be looked at. */
void ids_partner_chores(ids_partner *partner);
void ids_partner_look_at_order(ids_partner *partner);
/* The one under way could not be recorded. */
void ids_partner_fail_order(ids_partner *partner, int error);
void ids_partner_say_start(ids_partner *partner, const ids_decision *recorded);
void ids_partner_say(ids_partner *partner, const ids_peer_status *now);
void ids_partner_say_refusal(const ids_refusal *refusal);
/* The wall clock as ids_epoch_of says it. */
uint64_t ids_partner_clock_epoch(void *ctx);

/* The peer's configuration: peer_settings.c's. */
void ids_partner_fill(ids_partner *partner, uint64_t incarnation);

/* Within the monitor: the seat's loop looks soon; its desk does what the peer
 * may do now. */
void ids_partner_wake(ids_seat *seat);
void ids_partner_show(ids_partner *partner, ids_seat *seat);
void ids_partner_work_out(ids_partner *partner);
void ids_partner_gauge(ids_serving *serving, const ids_peer_status *status);
/* All desks do that already. */
bool ids_partner_is_shown(ids_partner *partner);
void ids_partner_wake_all(ids_partner *partner);

/* host.c's. */
ids_peer_host ids_partner_host(ids_partner *partner);

/* Enters and leaves the monitor, from a loop's thread. */
ids_peer *ids_partner_enter(ids_seat *seat);
void ids_partner_leave(ids_seat *seat);

#endif
