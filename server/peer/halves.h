/* SPDX-License-Identifier: Apache-2.0 */
/* halves.h -- inside a node: what its parts call of each other.
 *
 * In the order of who calls whom: a part calls those above it here and none
 * below, so that what happens in one call of peer.h is read downwards. What a
 * part finds out that others have to act on, it returns. Nobody else includes
 * this. Pure. */
#ifndef IDS_PEER_HALVES_H
#define IDS_PEER_HALVES_H

#include "server/peer/mutant.h"
#include "server/peer/peer.h"

/* standing.c: what this node is by now ------------------------------------- */

/* Clocks of several threads: the latest counts. */
void ids_peer_set_now(ids_peer *peer, uint64_t now_ms);

/* The highest epoch that this node knows of. */
uint64_t ids_peer_epoch(const ids_peer *peer);
/* The highest epoch that this node has led in; 0: none. */
static inline uint64_t ids_peer_led(const ids_peer *peer) {
    return peer->leading && peer->lead_epoch > peer->known.led_epoch
               ? peer->lead_epoch
               : peer->known.led_epoch;
}
/* R6: what comes with this epoch is refused; may anybody be in this one? */
bool ids_peer_refuses(const ids_peer *peer, uint64_t epoch);
bool ids_peer_epoch_is_sound(const ids_peer *peer, uint64_t epoch);

/* R9: what is of another session does not count. */
static inline bool ids_peer_is_other_session(uint64_t theirs, uint64_t ours) {
    return theirs != ours && !IDS_RULE_OFF(R9);
}
static inline bool ids_session_has(const ids_session *session,
                                   const ids_link *link) {
    return session->id != 0 && link->session == session->id;
}

/* The epoch of the history that its copy is of, if it may be relied on. */
uint64_t ids_peer_copy_of(const ids_peer *peer);
/* Does it hold records that must not give way to those of another origin? */
bool ids_peer_guards(const ids_peer *peer);
/* What it says of itself, with a nonce for one link. */
ids_link_self ids_peer_self(ids_peer *peer);

/* Where the other node is, and what, for clients and for the next dial. */
void ids_peer_note_whereabouts(ids_peer *peer, const ids_link *link);

/* Starts recording; nothing else may be pending. */
void ids_peer_propose(ids_peer *peer, ids_pending what,
                      const ids_decision *next);

/* links.c: see there ------------------------------------------------------- */

ids_link *ids_peer_dial(ids_peer *peer, uint32_t stream, uint64_t session,
                        const ids_endpoint *to);
bool ids_peer_has_link(const ids_peer *peer, const ids_link *link);
/* It is hung up and freed; its session does not hear of it: see fault. */
void ids_peer_drop_link(ids_peer *peer, ids_link *link);

/* by_key.c: a join by key ---------------------------------------------------
 */

/* Do nodes of this group join by key at all? */
bool ids_peer_has_keys(const ids_peer *peer);
/* What this loop's key ring has let go; with each of its turns. */
void ids_peer_count_let_go(ids_peer *peer, uint32_t loop);
/* A primary says in which epochs it was whole; a replica hears it. False: no
 * memory; it makes no sense. */
bool ids_primary_say_history(ids_peer *peer, ids_link *link);
bool ids_follower_hear_history(ids_peer *peer, const ids_link *link,
                               const ids_pf *frame);
/* Was this node whole where the primary was, too? */
bool ids_follower_may_join_by_key(const ids_peer *peer);
/* Says which keys were changed here beyond that, and begins. False: it can't,
 * or no memory. */
bool ids_follower_says_keys(ids_peer *peer, const ids_common *common);

/* And a primary hears START. False: the session has to end. */
bool ids_primary_starts_by_key(ids_peer *peer, ids_follower *follower,
                               ids_sender *sender, const ids_pf *frame);

/* places.c: a primary's replicas, looked at -------------------------------- */

/* Whose session the link is of, whatever the link is good for; NULL: none. */
ids_follower *ids_primary_follower_of(ids_peer *peer, const ids_link *link);
uint32_t ids_primary_place(const ids_peer *peer, const ids_follower *follower);
/* The place of this node, or a free one; IDS_FOLLOWERS_MAX: there is none. */
uint32_t ids_primary_place_for(const ids_peer *peer, uint64_t node);
/* Who is on record in this place; node 0: nobody. */
ids_member ids_primary_member(const ids_peer *peer,
                              const ids_follower *follower);
/* And it is connected, as the memory that is on record. */
bool ids_primary_has_member(const ids_peer *peer, const ids_follower *follower);
bool ids_primary_is_member(const ids_peer *peer, ids_member other);
bool ids_primary_has_session(const ids_peer *peer); /* anybody's */
void ids_primary_offer(const ids_peer *peer, const ids_link *link,
                       ids_link_offer *offer);
/* R3: a primary's replica has its place, and its name. */
ids_refusal_why ids_primary_judge(const ids_peer *peer,
                                  const ids_link_self *other, uint32_t stream);
/* The member of this place, or any, has been silent for too long: someone may
 * have taken over. */
bool ids_primary_misses(const ids_peer *peer, const ids_follower *follower);
bool ids_primary_misses_member(const ids_peer *peer);
/* Every stream is live and was acknowledged; lag: by so much it may lack
 * behind, or (passed) behind what replies have left with. */
bool ids_primary_caught_up(const ids_peer *peer, const ids_follower *follower,
                           uint64_t lag, bool passed);
/* Its copy is there, and it keeps up: it lacks no change that is old. */
bool ids_primary_is_whole(const ids_peer *peer, const ids_follower *follower);

/* copying.c, behind.c, state.c: to be told --------------------------------- */

/* A full copy begins, is whole, or has ended before it was: for the status.
 * to: whom it is sent to; NULL: it is loaded here. */
void ids_full_copy_begins(ids_peer *peer, ids_follower *to);
void ids_full_copy_is_done(ids_peer *peer, ids_follower *to);
void ids_full_copy_is_over(ids_peer *peer, ids_follower *to);
void ids_full_copy_get(const ids_peer *peer, const ids_follower *to,
                       ids_copying *copying);
/* All of them as one: the one that is on, or was last, and how many. */
void ids_peer_copy_get(const ids_peer *peer, ids_copying *copying);

/* Measures behind_ms; with each tick. */
void ids_peer_look_behind(ids_peer *peer);
bool ids_primary_is_slow(const ids_peer *peer, const ids_follower *follower);

/* Where a node is, or its name. */
void ids_peer_name(ids_endpoint *to, const ids_endpoint *at, uint64_t node);
/* The status' sentence for the operator. */
void ids_peer_say_state(const ids_peer *peer, const ids_peer_status *status,
                        char to[static IDS_STATE_BYTES]);

/* set.c: whom replies wait for --------------------------------------------- */

/* From now on replies wait for who is connected there, too. */
void ids_primary_join(ids_peer *peer, ids_follower *follower);
/* N2: its set is what is on record now; was: what was before. */
void ids_primary_take_set(ids_peer *peer, const ids_decision *was);

/* sessions.c: what begins and ends together -------------------------------- */

/* begin makes room for the links of a session; false: no memory. */
bool ids_session_begin(ids_peer *peer, ids_session *session, ids_link *link,
                       uint32_t streams, uint64_t epoch);
void ids_session_note_other(ids_peer *peer, ids_session *session,
                            const ids_link *link);
/* The other one's digest is this by now. */
void ids_session_heard_settings(ids_peer *peer, ids_session *session,
                                uint64_t settings);
bool ids_peer_has_session(const ids_peer *peer);
/* One of these has this number. */
bool ids_peer_has_session_of(const ids_peer *peer, uint64_t id);

/* Up to where each stream of the copy is, for a session to come. */
void ids_follower_note_positions(ids_peer *peer);
/* No reply waits any longer for who was to become a member. */
void ids_primary_joins_not(ids_peer *peer, ids_follower *follower);

/* The one of this node as a replica, if there is one; that of a follower;
 * those of all; and both. */
void ids_peer_end_upstream(ids_peer *peer);
void ids_primary_end_session(ids_peer *peer, ids_follower *follower);
void ids_primary_end_sessions(ids_peer *peer);
void ids_peer_end_sessions(ids_peer *peer);
/* This link is unfit, and if it is one of a session, so is that session, and no
 * other. */
void ids_peer_fault(ids_peer *peer, ids_link *link);

void ids_primary_stand_down(ids_peer *peer, bool pending);
/* Someone who may say so knows of this epoch: a lower primary steps down. */
void ids_peer_saw_epoch(ids_peer *peer, uint64_t epoch);

/* refuse.c: whom it does not work with ------------------------------------- */

/* Why this node does not work with the one at the link's other end, which has
 * proven itself; NONE: it does. */
ids_refusal_why ids_peer_judge(const ids_peer *peer, const ids_link *link);
/* Notes it, says it and ends the link. */
void ids_peer_refuse(ids_peer *peer, ids_link *link, ids_refusal_why why);
void ids_peer_note_refusal(ids_peer *peer, const ids_link *link,
                           ids_refusal_why why, bool by_other);
/* A link is over that nothing was heard on. */
void ids_peer_was_mute(ids_peer *peer, const ids_link *link);

/* handover.c: a switchover's next step, and its last ----------------------- */

void ids_primary_switch_over(ids_peer *peer);
void ids_primary_keeps_on(ids_peer *peer); /* it came to nothing */
void ids_primary_handed_over(ids_peer *peer);

/* follower.c: the replica's half ------------------------------------------- */

/* False, here and below: the link is gone. */
bool ids_follower_opened(ids_peer *peer, ids_link *link);
bool ids_follower_frame(ids_peer *peer, ids_link *link, const ids_pf *frame);
void ids_follower_pump(ids_peer *peer, ids_link *link);
/* It is recorded here that it is no member; that it is one. */
void ids_follower_disowned(ids_peer *peer);
void ids_follower_admitted(ids_peer *peer);
/* Asks for the swap once all of the copy is there. */
void ids_follower_consider(ids_peer *peer);

/* primary.c: the primary's half -------------------------------------------- */

bool ids_primary_init(ids_peer *peer);
void ids_primary_fini(ids_peer *peer);
bool ids_primary_lead(ids_peer *peer); /* false: no memory */
bool ids_primary_opened(ids_peer *peer, ids_link *link);
bool ids_primary_frame(ids_peer *peer, ids_link *link, const ids_pf *frame);
ids_sender *ids_primary_pump(ids_peer *peer, ids_link *link);
/* A replica has caught up: make it a member, tell it that it is one; the
 * switchover's next step. */
void ids_primary_consider(ids_peer *peer);
void ids_primary_admitted(ids_peer *peer);
void ids_primary_detached(ids_peer *peer);

/* heard.c and peer.c stand above both halves: what they have is in peer.h. */

#endif
