/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h -- one node of a few: its role, its links, and what it may do.
 *
 * Pure: no socket, no file, no clock, no thread. Bytes of links go in and
 * out, time and randomness are arguments of the driver, and so is where
 * decisions are recorded.
 *
 * Names: a *stream* is one loop of the primary, a *link* one
 * connection for one stream, a *session* all links between two nodes from
 * their handshake to the first that breaks. A primary has *followers*, each in
 * a place of its own and with its own session; a replica has one session, with
 * the primary: the one *upstream*.
 *
 * Threads: none of its own. A driver with several puts one monitor around the
 * whole ids_peer: every call below, and every look at a commit index, a
 * progress or a link, is made within it. But rings[k] and the senders of loop k
 * are that loop's own: it puts its changes into the ring (ids_peer_keep) and
 * makes frames (ids_sender_next) while others are inside, and says in there how
 * far it is (ids_peer_took). A callback of ids_peer_driver is called within it,
 * too: it may not block, and may not call back in here except where it says so.
 * now_ms is the same clock for all calls and never goes back; a thread that
 * comes late with an earlier time does no harm.
 *
 * Two steps must be taken by all loops at once, with every loop standing
 * still: ids_peer_decided, if ids_peer_decided_stops_world says so, and the
 * swap of a whole copy (ids_peer_swap_is_due). */
#ifndef IDS_PEER_H
#define IDS_PEER_H

#include "proto/error.h"
#include "server/peer/commit_index.h"
#include "server/peer/epoch.h"
#include "server/peer/history.h"
#include "server/peer/link.h"
#include "server/peer/receiver.h"
#include "server/peer/refusal.h"
#include "server/peer/sender.h"
#include "server/peer/status.h"

typedef struct ids_peer_driver {
    void *ctx;
    void (*random)(void *ctx, void *to, size_t len);
    /* Connect this link to link->dialled_to; its HELLO is in link->out. The
     * driver says ids_peer_lost when it can't, later and not in here. */
    void (*dial)(void *ctx, ids_link *link);
    /* The link is over: what is in link->out may still leave, then close. The
     * link is freed on return, so what shall leave has to be copied. */
    void (*hang_up)(void *ctx, ids_link *link);
    /* Replica: a second, empty copy is to be loaded beside the first (false:
     * it can't, the session ends); it is given up, whatever batches for it
     * are still on their way. Owners may do both when a message reaches them:
     * a batch says whether it is for the staging copy, and of which session. */
    bool (*staged_begin)(void *ctx);
    void (*staged_drop)(void *ctx);
    /* This loop's key ring, which its loop alone writes: what is put there of
     * another node is noted with its tag (a change with its number, a record
     * of a join by key as touched), and so is what the loop itself changes.
     * Called within ids_peer_gather and ids_peer_took, and for the senders of
     * that loop. NULL, or without bytes: none; nobody joins by key then. */
    const ids_key_ring *(*keys)(void *ctx, uint32_t loop);
    /* See receiver.h: put each of its records into its owner's copy, then
     * ids_peer_applied, which comes after this has returned. The body borrows
     * from the link's input: until ids_peer_input returns, or for as long as
     * the driver likes, if it has taken that (ids_link_take_input). It may be
     * read outside of the monitor, by a loop that would stand still for the
     * steps above. False: no memory, the session ends. */
    bool (*route)(void *ctx, const ids_body *body);
    /* This loop's shard leads from now on: ids_shard_lead. Returns the
     * number of its last change. Only within ids_peer_decided, and after the
     * loop has done its part of the last stand_down. */
    uint64_t (*lead)(void *ctx, uint32_t loop, uint64_t epoch);
    /* Waiters hear NOT_PRIMARY; and, with pending, so do those whose reply is
     * held: it is never sent (R6). With pending the shards follow. In effect
     * here at once; each loop does its part with its next turn, and until
     * then no reply leaves: it has looked at ids_peer_serves before. */
    void (*stand_down)(void *ctx, bool pending);
    /* The wall clock as ids_epoch_of says it, or 0. It bounds what others
     * claim (R6) and decides nothing else. */
    uint64_t (*clock_epoch)(void *ctx);
} ids_peer_driver;

typedef struct ids_peer_config {
    uint64_t node; /* ids_node_number of name; the other has another */
    ids_node_name name;
    uint64_t life; /* random, not 0, new at every start */
    /* Random, not 0, and new at every start; or the recorded one (R5), if the
     * shards hold all that the last process answered for: what its replies
     * left with, and what it reported by ids_peer_applied and
     * ids_peer_swapped. A driver that wants to use that later reports both only
     * once they are on its medium. */
    uint64_t incarnation;
    bool primary; /* started as one */
    /* Failover agents decide (N5): nothing is promoted, admitted or dropped but
     * by ids_peer_told and ids_peer_offer. So it is, too, if the recorded
     * decision names a group. */
    bool under_agent;
    ids_endpoint advertise; /* where clients reach this node; :port will do */
    ids_endpoint http;      /* and where over HTTP; empty: nowhere */
    /* Whom to dial; empty: where the other node was last. */
    ids_endpoint replicate_from;
    /* Where other nodes of the group are: dialled in turn until one is found
     * that leads. May name this node's own address. */
    ids_endpoint others[IDS_FOLLOWERS_MAX];
    uint32_t others_count;
    /* For a node without a history: ids_epoch_of the unix time; and of the
     * time that this was built: a clock that is before it is not believed. */
    uint64_t epoch_min, epoch_built;
    uint32_t loops;  /* 1..IDP_SHARDS_MAX */
    uint32_t places; /* of followers: 1..IDS_FOLLOWERS_MAX */
    ids_mode mode;
    bool wants_tls; /* a link that came or went plain is of no use */
    bool is_kept;   /* there is a data folder */
    /* The operator's word, for this process: whatever it holds may give way to
     * records of another origin. */
    bool any_origin;
    uint32_t min_in_sync; /* 1..1 + places */
    size_t ring_bytes;
    size_t result_bytes_max;
    size_t unsent_bytes;   /* per link: over it, changes stay in the ring */
    uint32_t walk_buckets; /* of a full copy, per step */
    uint32_t join_lag;     /* changes that a joining replica may lack */
    /* By which keys belong to this node's loops (proto/owner.h). */
    uint8_t hash_key[IDP_HASH_KEY_BYTES];
    /* A member that has not been heard of for stall_ms: nothing is served.
     * Over silence_ms the link is given up. */
    uint64_t heartbeat_ms, silence_ms, redial_ms, stall_ms;
    /* A digest of what both nodes should have alike; and this program's
     * version. Both are told and compared by people. */
    uint64_t settings; /* <= IDS_PF_NUMBER_MAX */
    char program[IDS_PROGRAM_BYTES];
    ids_link_key key;
    ids_decisions decisions;
    ids_peer_driver driver;
} ids_peer_config;

/* With one place; each more may have so many streams again. */
#define IDS_LINKS_MAX (2 * IDP_SHARDS_MAX + 8)

/* Links that have not shown the secret, nor are streams of the session: in all,
 * and from one source (an IPv4 address, an IPv6 /64). */
#define IDS_UNPROVEN_MAX        16u
#define IDS_UNPROVEN_PER_SOURCE 8u

/* All links between two nodes, and who the other one is. */
typedef struct ids_session {
    uint64_t id;       /* 0: none */
    uint64_t epoch;    /* the primary's in it */
    ids_link **stream; /* per stream; NULL: not open */
    uint32_t streams;
    uint32_t streams_open; /* replica: welcomed; primary: started */
    ids_member other;      /* whose it is, or was last; node 0: nobody's */
    ids_node_name other_name;
    uint64_t other_life;
    uint64_t other_settings; /* its digest, as it said last */
    bool settings_differ;    /* from those of other */
} ids_session;

/* A primary's place for one replica: what it knows of who has it. */
typedef struct ids_follower {
    ids_session session;
    ids_sender *senders; /* per loop, once this node has led; the loop's own */
    ids_progress *progress;    /* per loop: of its sender */
    bool *heard_ack;           /* per loop, in this session */
    uint64_t last_received_ms; /* when the member was last heard of */
    ids_endpoint at;   /* where it is reached, as it said last; or empty */
    ids_endpoint http; /* the same of its HTTP side */
    char host[IDS_ENDPOINT_BYTES]; /* from where it came last */
    uint64_t heard_ms;             /* when who has this session was heard of */
    uint64_t put_ms;         /* when this one was made a member, or offered */
    uint64_t offer_rev;      /* joining, under agents: at which revision */
    ids_member joiner;       /* joining: who it is, also once it is gone */
    bool joining;            /* it is waited for, but no member yet */
    bool joins_by_key;       /* it has begun so, and is not whole yet */
    uint64_t joined_by_key;  /* how often it was, since this node began */
    bool reported;           /* ADMIT was said in this session */
    bool report_is_recorded; /* and the member has it on record */
    bool had_session;        /* it has had one since this node leads */
    bool asked, yields;      /* to be no member, and it is none on its record */
    ids_parting parting;     /* of who was detached from this place */
    uint64_t parting_until_ms;
    uint64_t behind_ms;  /* its medium lacks the oldest change for so long */
    ids_copying copying; /* of a full copy to it */
} ids_follower;

/* Why nodes are turned away, each once. */
#define IDS_CAUSES_MAX 8

typedef struct ids_cause {
    ids_refusal refusal;
    uint64_t node;  /* 0: unproven */
    bool is_logged; /* by ids_peer_next_refusal */
} ids_cause;

typedef struct ids_peer {
    ids_peer_config config;
    ids_decision known;    /* as recorded */
    ids_decision proposed; /* if pending */
    ids_pending pending;
    uint32_t pending_place;      /* of an admission: whose */
    uint64_t undecided_until_ms; /* nothing is proposed by itself before */
    bool overtaken;      /* a higher epoch was seen since it was proposed */
    bool leading;        /* the role in effect */
    uint64_t lead_epoch; /* the one that it leads in */
    uint64_t seen_epoch; /* the highest that anyone spoke of */
    uint64_t now_ms;
    uint64_t redial_at_ms;
    uint32_t dials; /* of those that the configuration names: whose turn */
    ids_endpoint other_at;   /* where the other node is, as last heard */
    ids_endpoint other_http; /* its HTTP side; empty: none, or not heard */
    ids_refusal refusal;     /* the last */
    ids_cause causes[IDS_CAUSES_MAX];
    uint32_t mute_count; /* connections in a row that ended without a word */
    uint8_t dialled_nonce[IDS_LINK_NONCE_BYTES]; /* of stream 0, last */
    bool other_leads; /* and that it is the primary */
    ids_link **links; /* of the session, and in handshake */
    uint32_t link_count, link_cap;
    uint64_t accepted; /* links, in all */
    /* One more as a session begins or ends, and as somebody joins or does not:
     * then each loop has to look at its commit index. */
    uint64_t news;
    /* Who had a session with this node last, whichever of the two led. */
    ids_member other;
    ids_node_name other_name;
    bool settings_differ; /* from those of other */

    /* Primary. */
    ids_follower follower[IDS_FOLLOWERS_MAX]; /* config.places of them */
    ids_ring *rings; /* per loop, once it has led; the loop's own, all its
                      * senders read it */
    ids_ring_reported *reported; /* per loop: of its ring */
    uint64_t *let_go; /* per loop: of its key ring, as history has it */
    ids_commit_index *commit_indexes; /* per loop */
    /* It took over with other members, and has a loop without a number: until
     * each has all that was there nothing may be shown (N4). */
    bool is_blank;
    uint64_t switch_epoch, switch_until_ms; /* 0: none is under way */
    uint64_t switch_to;  /* the node that shall lead then; 0: any member */
    bool handed_over;    /* and nobody was seen to lead since */
    ids_member detached; /* who, last */

    /* In which epochs this node was whole, whichever of the two it was. */
    ids_history history;

    /* Replica. */
    ids_session upstream;
    ids_history theirs; /* the primary's, as it says in this session, */
    uint8_t their_hash_key[IDP_HASH_KEY_BYTES]; /* and where its keys belong */
    bool gather_due;         /* this node's keys are to be looked through */
    bool in_place;           /* syncing, and it is a join by key */
    uint64_t joined_by_key;  /* how often, since this node began */
    ids_receiver *receivers; /* per stream of the session */
    bool dialled_rest;       /* the session's other streams */
    bool started, syncing;
    bool swap_due;         /* all of the copy is there */
    uint64_t copy_of;      /* the epoch of the history that the copy is of */
    uint64_t copy_node;    /* and whose it is; 0: not known */
    uint64_t *copy_at;     /* per stream of it: all up to here is in it */
    uint32_t copy_streams; /* 0: the positions are not known */
    bool disowned;         /* the primary said: you are not in sync */
    bool detached_pending; /* it wants to know that this is on record */
    bool admitted_pending; /* the same of its being a member */
    uint64_t admit_epoch, admit_version; /* told, to be recorded; 0: none */
    ids_origin admit_origin;             /* whose records those are */

    ids_copying copying; /* of a full copy to here */
    /* For how long this node's medium has lacked the oldest change that it
     * lacks. */
    uint64_t behind_ms;
} ids_peer;

/* now: as recorded by the last process, or zeros. NULL: no memory. Begins
 * with recording the start, and nothing is served before: propose is called
 * in here, and answered after it. */
ids_peer *ids_peer_new(const ids_peer_config *config, const ids_decision *now,
                       uint64_t now_ms);
void ids_peer_free(ids_peer *peer);

/* The proposed decision is on record. The first asks beforehand: does it need
 * the world to stand still? What it says holds until decided is called; if it
 * is false, driver.lead is not called. */
bool ids_peer_decided_stops_world(const ids_peer *peer);
void ids_peer_decided(ids_peer *peer, uint64_t now_ms);

/* It could not be recorded, and what was recorded before surely still stands:
 * nothing of it is in effect, an order of the operator's is off. What this
 * node wants by itself is proposed again after a while. Returns what it was.
 * A start is not taken back: it can only be tried again, or given up with the
 * peer. */
ids_pending ids_peer_undecided(ids_peer *peer, uint64_t now_ms);

/* Links; each is the peer's, from dial or accept until hang_up. accept:
 * someone has connected; NULL: too many, or no memory. input may end in
 * hang_up for this link, and for others. It may leave bytes unread while a
 * receiver is full: call it again with none after ids_peer_applied. */
/* Before accept: someone comes from this host (""  if it is not known). Where
 * there are as many unproven ones as may be, from there or in all, one goes:
 * first such as have said nothing, then the oldest, and last who comes from
 * where the other node was. */
void ids_peer_make_room(ids_peer *peer, const char *host);
/* Was the other node there, as far as is known? */
bool ids_peer_knows_host(const ids_peer *peer, const char *host);
ids_link *ids_peer_accept(ids_peer *peer, uint64_t now_ms);
void ids_peer_input(ids_peer *peer, ids_link *link, const uint8_t *bytes,
                    size_t len, uint64_t now_ms);
void ids_peer_lost(ids_peer *peer, ids_link *link, uint64_t now_ms);

/* Another digest of what both nodes should have alike: the other one hears of
 * it, and the status tells whether they differ. */
void ids_peer_set_settings(ids_peer *peer, uint64_t settings);

/* Does what time has made due. To be called every few ms. */
void ids_peer_tick(ids_peer *peer, uint64_t now_ms);

/* This node did nothing for so long, and now_ms does not count that. For a
 * primary it does: another may lead by now, and only its member's word, once
 * more, shows that none does. */
void ids_peer_stood_still(ids_peer *peer, uint64_t gap_ms);

/* What this link's stream has to say: acknowledgements are in its out then; and
 * for a primary, the sender whose frames may follow those of out, made by the
 * stream's loop outside of the monitor (ids_sender_next). NULL: none may. Call
 * it at the end of each turn, on the stream's loop. It may end in hang_up. */
ids_sender *ids_peer_pump(ids_peer *peer, ids_link *link, uint64_t now_ms);

/* The loop's own, outside of the monitor: a change of its shard, as
 * server/journal/change writes it; its bytes are copied. Numbers come one by
 * one, behind the one that driver.lead returned. took, within it and on the
 * same loop: now they count, and its senders hear what the node knows. It comes
 * before any reply of those changes asks the commit index, before a frame of
 * them is made, and before input and pump of the loop's links. */
void ids_peer_keep(ids_peer *peer, uint32_t loop, uint64_t number,
                   idp_slice encoded);
void ids_peer_took(ids_peer *peer, uint32_t loop);

/* May a call be carried out, and a reply leave that waits for nothing?
 * IDP_OK, NOT_PRIMARY, UNREPLICATED. shows: it can't change anything (peek).
 * For a node that does not lead no reply to a call may leave at all; for one
 * that does, ids_peer_watermark says up to which change, and
 * ids_commit_index_left is told in the same stay within the monitor. */
idp_error ids_peer_serves(const ids_peer *peer, bool shows);

/* Of this loop: up to which change a reply may leave now. While fewer nodes
 * than min_in_sync are in sync no reply leaves with another change than one
 * has left with already. */
uint64_t ids_peer_watermark(const ids_peer *peer, uint32_t loop);

/* Records on their way to their owners. A batch that is not current is
 * dropped instead of applied. It must be put before another step can make it
 * old: within the same stay in the monitor, or by an owner that would stand
 * still for the steps above and applies in the order of routing. applied:
 * it is put and, if this memory is to be kept (config.incarnation), on the
 * medium. */
bool ids_peer_is_current(const ids_peer *peer, const ids_batch_tag *tag);
void ids_peer_applied(ids_peer *peer, const ids_batch_tag *tag);

/* A full copy is whole. The driver makes the world stand still, asks again (the
 * session may have ended: then it is off), lets every loop do its part of the
 * last stand_down and then its staging copy take the old one's place, and says
 * so before the world goes on. Batches of the session that come later are for
 * the new copy, aside or not. Until then nothing of it is acknowledged. */
static inline bool ids_peer_swap_is_due(const ids_peer *peer) {
    return peer->swap_due;
}
void ids_peer_swapped(ids_peer *peer, uint64_t now_ms);

/* A join by key: this node has been whole in an epoch in which the primary was,
 * too. The driver makes the world stand still, so that each loop has put what
 * it may still put of an earlier session, and says gather. Nothing of the new
 * session is put before. */
static inline bool ids_peer_gather_is_due(const ids_peer *peer) {
    return peer->gather_due && peer->upstream.id != 0 &&
           peer->known.epoch >= peer->upstream.epoch;
}
void ids_peer_gather(ids_peer *peer, uint64_t now_ms);

/* A shard that holds a copy: what is in progress stays (R12). */
void ids_peer_prepare_copy(ids_shard *shard);

/* The operator's commands. OK: it is being recorded (or, for a switchover,
 * under way); whether it came to pass is seen in ids_peer_status. node: which
 * member is meant; 0: the only one, and for a switchover any one. */
ids_deciding ids_peer_promote(ids_peer *peer, uint64_t epoch, bool accept_loss);
ids_deciding ids_peer_detach(ids_peer *peer, uint64_t node);
ids_deciding ids_peer_switchover(ids_peer *peer, uint64_t epoch, uint64_t node);

/* Under failover agents (server/peer/group.h), from any of them, in any order
 * and as often as they like. config, N2: "this is what etcd has, at this
 * revision": this node leads, follows, waits for whom the set names; all offers
 * end. OK: it is being recorded; known.rev says when it was. offer, N3: from
 * now on replies wait for this one, too, until a config of a later revision or
 * until this node leads no more. report, N1: all at one time. */
ids_deciding ids_peer_told(ids_peer *peer, const ids_group *group,
                           uint64_t rev);
ids_deciding ids_peer_offer(ids_peer *peer, uint64_t rev, uint64_t epoch,
                            const ids_group_member *member);
void ids_peer_report(const ids_peer *peer, ids_report *report);

/* Why a node was turned away, each cause once: for the log. False: there is
 * no news. */
bool ids_peer_next_refusal(ids_peer *peer, ids_refusal *refusal);

/* Where clients should go when this node is not primary, and where those that
 * speak HTTP; empty: unknown. */
void ids_peer_primary_at(const ids_peer *peer, ids_endpoint *at);
void ids_peer_primary_http(const ids_peer *peer, ids_endpoint *http);

/* A replica that is heard, and whose medium is so far behind, has a slow disk.
 */
#define IDS_SLOW_MS 500u
bool ids_peer_is_slow(const ids_peer *peer);

void ids_peer_status_get(const ids_peer *peer, ids_peer_status *status);

/* The last replica that was detached has not confirmed yet that it knows. */
bool ids_peer_is_parting(const ids_peer *peer);

/* Of one stream of a primary, and of the replica that is behind most; zeros for
 * anything else. */
void ids_peer_stream_lag(const ids_peer *peer, uint32_t stream,
                         ids_peer_lag *lag);

#endif
