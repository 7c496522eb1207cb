/* SPDX-License-Identifier: Apache-2.0 */
/* commit_wait.h -- what a worker's commit gate knows: up to which change
 * replies may leave, and the marks of those that wait.
 *
 * commit_gate.h says what for. Here are no replies, only numbers: the bytes
 * that a mark speaks of stand with the connection, or in the messages that are
 * held.
 */
#ifndef IDS_COMMIT_WAIT_H
#define IDS_COMMIT_WAIT_H

#include "server/core/shard.h"
#include "server/peer/mutant.h"
#include "server/worker/mailbox.h"

#include <assert.h>

/* What a reply shows: a record of this worker's, which may be taken back until
 * the change is safe; or nothing of the kind (an error, hello, what another
 * loop has let go). */
typedef enum ids_showing { IDS_SHOWS_NOTHING, IDS_SHOWS_RECORD } ids_showing;

/* Its bytes are the next ones of its kind: of the connection, or in the
 * messages that are held for the asker's loop. */
typedef enum ids_commit_wait_kind {
    IDS_COMMIT_WAIT_BYTES,
    IDS_COMMIT_WAIT_DEFERRED, /* none yet: a reply whose rest is shared */
    IDS_COMMIT_WAIT_MESSAGE
} ids_commit_wait_kind;

/* The mark of a reply that is held. */
typedef struct ids_commit_wait {
    ids_asker asker;
    uint64_t number; /* of the change that it waits for */
    uint64_t since_ms;
    uint32_t bytes;
    uint32_t msgid;
    uint32_t since_us; /* of the clock of measures.h, its lower half */
    uint8_t kind;      /* ids_commit_wait_kind */
} ids_commit_wait;

static_assert(sizeof(ids_commit_wait) == 40, "many of them wait");

typedef struct ids_commit_wait_batch {
    ids_message_batch batch;
    size_t at; /* what is before it has left */
} ids_commit_wait_batch;

typedef struct ids_commit_gate {
    uint64_t changes;   /* the last change; 0 where nobody counts */
    uint64_t watermark; /* up to which change replies may leave */
    uint64_t kept; /* up to which change the disk has them; UINT64_MAX: there
                    * is none. Only for what a wait was for */
    bool shut;     /* nothing leaves any more */
    bool full;     /* no call is served */
    bool disk_is_full;       /* no claim is made */
    bool has_changed;        /* the last call did; where rules are off */
    uint64_t claims_from_ms; /* no claim is made before this */
    idp_bytes marks;         /* ids_commit_wait, the oldest at marks_at */
    size_t marks_at;
    uint32_t replies; /* marks of replies that still have an asker */
    ids_commit_wait_batch *message; /* per loop */
} ids_commit_gate;

static inline bool ids_commit_gate_is_needed(const ids_commit_gate *gate) {
    return gate->changes > gate->watermark;
}

/* Whether a reply is held that is made now: because of what it has changed
 * (R1), or of what it shows (R2). */
static inline bool ids_commit_gate_holds(const ids_commit_gate *gate,
                                         ids_showing shows) {
    if (IDS_RULE_OFF(R1) && gate->has_changed)
        return false;
    if (IDS_RULE_OFF(R2) && !gate->has_changed)
        return false;
    return ids_commit_gate_is_needed(gate) &&
           (shows == IDS_SHOWS_RECORD || gate->shut);
}

/* The highest change that a reply will have left with once this watermark is
 * released, for ids_commit_index_left. */
static inline uint64_t ids_commit_gate_left(const ids_commit_gate *gate,
                                            uint64_t watermark) {
    return gate->changes < watermark ? gate->changes : watermark;
}

/* Marks stand in the order in which they are made, which is that of changes and
 * of time. A reply that is held is marked in two steps: room for the mark,
 * before anything is written (false: no memory), then the mark, of the last
 * change. */
bool ids_commit_wait_reserve(ids_commit_gate *gate);
void ids_commit_wait_push(ids_commit_gate *gate, const ids_commit_wait *mark);

/* The oldest mark, and where they end; NULL: there is none. Borrowed until one
 * is pushed or dropped. */
static inline ids_commit_wait *
ids_commit_wait_first(const ids_commit_gate *gate) {
    return gate->marks_at < gate->marks.len
               ? (ids_commit_wait *)(void *)(gate->marks.ptr + gate->marks_at)
               : NULL;
}
const ids_commit_wait *ids_commit_wait_end(const ids_commit_gate *gate);

/* The first count marks are dealt with. */
void ids_commit_wait_drop(ids_commit_gate *gate, uint32_t count);

/* Since when the oldest is held: no reply has been held for longer
 * (UINT64_MAX: none is). */
uint64_t ids_commit_gate_oldest_ms(const ids_commit_gate *gate);

/* Another release, with the same watermark, has more to do. */
static inline bool ids_commit_gate_has_more(const ids_commit_gate *gate) {
    const ids_commit_wait *first = ids_commit_wait_first(gate);
    return first && !gate->shut && first->number <= gate->watermark;
}

void ids_commit_wait_fini(ids_commit_gate *gate, uint32_t loops);

#endif
