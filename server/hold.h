/* hold.h -- the commit gate: a reply leaves when what it shows can't be taken
 * back any more.
 *
 * Each desk numbers its shard's changes. A reply that is made after change n
 * is held until the desk's watermark has reached n; reads too, for they may
 * show a change that a crash would undo. Whoever keeps changes safe (the
 * journal) moves the watermark. Without such a one it is UINT64_MAX, and all
 * of this is a comparison.
 *
 * A connection remembers how many of its last bytes are held, in two parts:
 * those that wait for the change that was the last when the first part
 * began to wait, and those behind them. So a reply waits for its own batch
 * and for no later one, however fast new ones come.
 *
 * What waits in vain (the replica is silent, this server is the primary no
 * more) is not sent, then or later: an error takes its place. */
#ifndef IDS_HOLD_H
#define IDS_HOLD_H

#include "server/desk.h"

/* What a reply shows: a record of this desk's, which may be taken back until
 * the change is safe; or nothing of the kind (an error, hello, what another
 * loop has let go). */
typedef enum ids_showing { IDS_SHOWS_NOTHING, IDS_SHOWS_RECORD } ids_showing;

static inline bool ids_hold_is_needed(const ids_desk *desk) {
    return desk->changes > desk->watermark;
}

/* The connection's last bytes are a reply that was just made, and holding is
 * needed. What shows nothing is held only behind what is. */
void ids_hold_bytes(ids_desk *desk, ids_conn *conn, size_t bytes,
                    ids_showing shows);

/* The parcel for a reply to another loop, held or not; NULL: no memory. */
ids_parcel *ids_hold_parcel(ids_desk *desk, uint32_t loop, ids_showing shows);

/* The watermark is here now: lets go of what it covers. Connections that may
 * send are marked, parcels stand among the outgoing ones. */
void ids_hold_release(ids_desk *desk, uint64_t watermark);

/* The highest change that a reply will have left with once this watermark is
 * released, for ids_gate_left. */
static inline uint64_t ids_hold_left(const ids_desk *desk, uint64_t watermark) {
    return desk->changes < watermark ? desk->changes : watermark;
}

/* Replies that have been held since this time or longer (UINT64_MAX: all)
 * never leave: each is replaced by this error, which does, in its place. text
 * NULL: the code's own; on other loops it is that loop's. What shows no
 * record stays as it is. Call ids_hold_oldest_ms to see whether it is time:
 * no reply has been held for longer (UINT64_MAX: none is). */
void ids_hold_fail(ids_desk *desk, uint64_t since_ms, idp_error error,
                   const char *text);
static inline uint64_t ids_hold_oldest_ms(const ids_desk *desk) {
    return desk->held_since_ms;
}

/* No reply leaves from now on, whatever becomes of the watermark. */
void ids_hold_all(ids_desk *desk);

/* The connection goes: nothing of it is held any more. */
void ids_hold_forget(ids_desk *desk, ids_conn *conn);

/* Carries the call out, unless that is not this server's to do now
 * (serving.h), or it is an acquire that would make a claim and no claims are
 * taken: then it is refused, with a text. */
ids_verdict ids_hold_call(ids_desk *desk, const ids_call *call,
                          idp_answer *answer, idp_error *error,
                          const char **text);

/* The shard's tap; ctx is the desk. */
void ids_hold_change(void *ctx, const ids_change *change);

/* A record of another node's was put into the shard: the journal, if there is
 * one, keeps that as any other change. */
void ids_hold_put(ids_desk *desk, const ids_change *change);

/* Too much waits for the disk, or no longer: connections that stalled are
 * served on. */
void ids_hold_set_full(ids_desk *desk, bool full);

#endif
