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
 * and for no later one, however fast new ones come. */
#ifndef IDS_HOLD_H
#define IDS_HOLD_H

#include "server/desk.h"

/* The connection's last bytes are a reply that was just made. */
void ids_hold_bytes(ids_desk *desk, ids_conn *conn, size_t bytes);

static inline bool ids_hold_is_needed(const ids_desk *desk) {
    return desk->changes > desk->watermark;
}

/* The parcel for a reply to another loop, held or not; NULL: no memory. */
ids_parcel *ids_hold_parcel(ids_desk *desk, uint32_t loop);

/* The watermark is here now: lets go of what it covers. Connections that may
 * send are marked, parcels stand among the outgoing ones. */
void ids_hold_release(ids_desk *desk, uint64_t watermark);

/* No reply leaves from now on, whatever becomes of the watermark. */
void ids_hold_all(ids_desk *desk);

/* The connection goes: nothing of it is held any more. */
void ids_hold_forget(ids_desk *desk, ids_conn *conn);

/* Carries the call out, unless it is an acquire that would make a claim and
 * no claims are taken now: then it is refused, with a text. */
ids_verdict ids_hold_call(ids_desk *desk, const ids_call *call,
                          idp_answer *answer, idp_error *error,
                          const char **text);

/* The shard's tap; ctx is the desk. */
void ids_hold_change(void *ctx, const ids_change *change);

/* Too much waits for the disk, or no longer: connections that stalled are
 * served on. */
void ids_hold_set_full(ids_desk *desk, bool full);

#endif
