/* SPDX-License-Identifier: Apache-2.0 */
/* commit_gate.h -- the commit gate: a reply leaves when what it shows can't be
 * taken back any more.
 *
 * Each worker numbers its shard's changes. A reply that is made after change n
 * is held until the worker's watermark has reached n; reads too, for they may
 * show a change that a crash would undo. Whoever keeps changes safe (the
 * journal) moves the watermark. Without such a one it is UINT64_MAX, and all
 * of this is a comparison.
 *
 * A reply that is held has a mark: whose it is, its msgid and size, the change
 * that it waits for and since when. The marks stand in one queue, in the order
 * in which they were made, which is that of changes and of time; the bytes
 * stand in the connection's held bytes, in the same order. So a reply waits
 * for its own batch and for no later one, letting go costs what leaves, and
 * nothing reads replies to take them back. What shows no record is never held,
 * whatever it comes behind: replies may come in any order.
 *
 * What waits in vain (the replica is silent, this server is the primary no
 * more) is not sent, then or later: an error takes its place. */
#ifndef IDS_COMMIT_GATE_H
#define IDS_COMMIT_GATE_H

#include "server/worker/worker.h"

/* The watermark is here now: lets go of what it covers, of a turn's worth at
 * most. Connections that may send are marked, batches stand among the outgoing
 * ones. */
void ids_commit_gate_release(ids_worker *worker, uint64_t watermark);

/* Replies that have been held since this time or longer (UINT64_MAX: all)
 * never leave: this error does, in the place of each. text NULL: the code's
 * own; on other loops it is that loop's. What shows no record stays as it is.
 * ids_commit_gate_oldest_ms says whether it is time. */
void ids_commit_gate_fail(ids_worker *worker, uint64_t since_ms,
                          idp_error error, const char *text);

/* No reply leaves from now on, whatever becomes of the watermark. */
void ids_commit_gate_shut(ids_worker *worker);

/* Carries the call out, unless that is not this server's to do now
 * (role.h), or it is an acquire that would make a claim and no claims are
 * taken: then it is refused, with a text. */
ids_verdict ids_commit_gate_call(ids_worker *worker, const ids_call *call,
                                 idp_answer *answer, idp_error *error,
                                 const char **text);

/* The shard's hook; ctx is the worker. */
void ids_commit_gate_change(void *ctx, const ids_change *change);

/* A record of another node's was put into the shard: the journal, if there is
 * one, keeps that as any other change. */
void ids_commit_gate_put(ids_worker *worker, const ids_change *change);

/* Too much waits for the disk, or no longer: connections that stalled are
 * served on. */
void ids_commit_gate_set_full(ids_worker *worker, bool full);

#endif
