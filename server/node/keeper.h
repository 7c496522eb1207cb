/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h -- keeps one loop's changes: its journal, and two threads of its
 * own. One writes what the loop hands over, the other does what takes long.
 *
 * The loop never waits for them; it looks at the end of each turn, and
 * is woken when there is something to see. */
#ifndef IDS_KEEPER_H
#define IDS_KEEPER_H

#include "server/desk.h"
#include "server/journal/snapshot.h"

typedef struct ids_keeper ids_keeper;
struct ids_store;

typedef struct ids_keeper_config {
    struct ids_store *store;
    ids_desk *desk;
    ids_writer writer; /* moves in, with what it has open */
    ids_fsync fsync;
    bool is_seated; /* the loop has a seat at the peer */
    uint64_t now_ms;
} ids_keeper_config;

/* Gives the desk its journal. NULL: no memory. */
ids_keeper *ids_keeper_new(const ids_keeper_config *config);

/* Starts its threads; 0 or an errno. */
int ids_keeper_start(ids_keeper *keeper);

/* On the loop's thread, at the end of each turn: hands over, takes what has
 * come back, lets replies leave (but where a seat at the peer sees to that).
 * True: turn again soon, there is more. */
bool ids_keeper_turn(ids_keeper *keeper);

/* Up to which change replies may leave, as far as the journal is concerned. */
uint64_t ids_keeper_watermark(const ids_keeper *keeper);

/* When the loop has to turn even if nothing happens. */
uint64_t ids_keeper_next_ms(const ids_keeper *keeper);

/* On the loop's thread, before it ends: it is not woken any more. */
void ids_keeper_quiet(ids_keeper *keeper);

/* Its loop doesn't run (yet, or any more). Its threads finish what they
 * have and end. */
void ids_keeper_join(ids_keeper *keeper);

/* Its loop stands still, and so do all others. settle: waits until its
 * threads have done what they were given. begin_anew, when all are settled:
 * gives up its part of a snapshot, has every change on the medium, and the log
 * goes on in a segment that is new. */
void ids_keeper_settle(ids_keeper *keeper);
void ids_keeper_begin_anew(ids_keeper *keeper, ids_log_end *end);

/* Its threads don't run. Has every change on the medium and takes a snapshot
 * of the shard, all on the caller's thread. clean: the log ends here, first is
 * not set. False: there was no room. */
bool ids_keeper_snapshot(ids_keeper *keeper, bool clean, ids_snapshot_sum *sum,
                         ids_log_end *first);

void ids_keeper_free(ids_keeper *keeper);

#endif
