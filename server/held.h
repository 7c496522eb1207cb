/* SPDX-License-Identifier: Apache-2.0 */
/* held.h -- what a worker's commit gate knows: up to which change replies may
 * leave, and the marks of those that wait.
 *
 * hold.h says what for. Here are no replies, only numbers: the bytes that a
 * mark speaks of stand with the connection, or in the mail that is held. */
#ifndef IDS_HELD_H
#define IDS_HELD_H

#include "server/core/shard.h"
#include "server/mailbox.h"
#include "server/peer/mutant.h"

/* What a reply shows: a record of this worker's, which may be taken back until
 * the change is safe; or nothing of the kind (an error, hello, what another
 * loop has let go). */
typedef enum ids_showing { IDS_SHOWS_NOTHING, IDS_SHOWS_RECORD } ids_showing;

/* Its bytes are the next ones of its kind: of the connection, or in the mail
 * that is held for the asker's loop. */
typedef enum ids_held_kind {
    IDS_HELD_BYTES,
    IDS_HELD_DEFERRED, /* none yet: a reply whose rest is shared */
    IDS_HELD_MAIL
} ids_held_kind;

/* The mark of a reply that is held. */
typedef struct ids_held {
    ids_asker asker;
    uint64_t number; /* of the change that it waits for */
    uint64_t since_ms;
    uint32_t bytes;
    uint32_t msgid;
    uint8_t kind; /* ids_held_kind */
} ids_held;

typedef struct ids_held_mail {
    ids_parcel parcel;
    size_t at; /* what is before it has left */
} ids_held_mail;

typedef struct ids_hold {
    uint64_t changes;        /* the last change; 0 where nobody counts */
    uint64_t watermark;      /* up to which change replies may leave */
    bool shut;               /* nothing leaves any more */
    bool full;               /* no call is served */
    bool disk_is_full;       /* no claim is made */
    bool has_changed;        /* the last call did; where rules are off */
    uint64_t claims_from_ms; /* no claim is made before this */
    ids_bytes marks;         /* ids_held, the oldest at marks_at */
    size_t marks_at;
    uint32_t replies;    /* marks of replies that still have an asker */
    ids_held_mail *mail; /* per loop */
} ids_hold;

static inline bool ids_hold_is_needed(const ids_hold *hold) {
    return hold->changes > hold->watermark;
}

/* Whether a reply is held that is made now: because of what it has changed
 * (R1), or of what it shows (R2). */
static inline bool ids_hold_holds(const ids_hold *hold, ids_showing shows) {
    if (IDS_RULE_OFF(R1) && hold->has_changed)
        return false;
    if (IDS_RULE_OFF(R2) && !hold->has_changed)
        return false;
    return ids_hold_is_needed(hold) &&
           (shows == IDS_SHOWS_RECORD || hold->shut);
}

/* The highest change that a reply will have left with once this watermark is
 * released, for ids_commit_index_left. */
static inline uint64_t ids_hold_left(const ids_hold *hold, uint64_t watermark) {
    return hold->changes < watermark ? hold->changes : watermark;
}

/* Marks stand in the order in which they are made, which is that of changes and
 * of time. A reply that is held is marked in two steps: room for the mark,
 * before anything is written (false: no memory), then the mark, of the last
 * change. */
bool ids_held_reserve(ids_hold *hold);
void ids_held_push(ids_hold *hold, const ids_held *mark);

/* The oldest mark, and where they end; NULL: there is none. Borrowed until one
 * is pushed or dropped. */
static inline ids_held *ids_held_first(const ids_hold *hold) {
    return hold->marks_at < hold->marks.len
               ? (ids_held *)(void *)(hold->marks.ptr + hold->marks_at)
               : NULL;
}
const ids_held *ids_held_end(const ids_hold *hold);

/* The first count marks are dealt with. */
void ids_held_drop(ids_hold *hold, uint32_t count);

/* Since when the oldest is held: no reply has been held for longer
 * (UINT64_MAX: none is). */
uint64_t ids_hold_oldest_ms(const ids_hold *hold);

/* Another release, with the same watermark, has more to do. */
static inline bool ids_hold_has_more(const ids_hold *hold) {
    const ids_held *first = ids_held_first(hold);
    return first && !hold->shut && first->number <= hold->watermark;
}

void ids_held_fini(ids_hold *hold, uint32_t loops);

#endif
