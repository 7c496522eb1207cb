/* SPDX-License-Identifier: Apache-2.0 */
/* message.h -- what stands in a batch: headers, each with its bytes behind it.
 *
 * Plain memory between threads of one process: no wire format, no endianness.
 * Each entry begins at a multiple of eight. */
#ifndef IDS_MESSAGE_H
#define IDS_MESSAGE_H

#include "server/core/shard.h"
#include "server/worker/mailbox.h"

typedef enum ids_message_kind {
    IDS_MESSAGE_ASK,   /* body: a request's frame; word: its owner hash, or
                        * an ids_look's */
    IDS_MESSAGE_REPLY, /* body: a reply's frame; word: how large the answer is,
                        * or was, where there was no room for it */
    IDS_MESSAGE_REPLAYS, /* body: so many (msgid) ids_woken_asker, and the rest
                          * of a reply that they all get */
    IDS_MESSAGE_FORGET,  /* the asker is gone */
    IDS_MESSAGE_GIVE,    /* word: an ids_conn * that is yours now */
    IDS_MESSAGE_INQUIRY, /* msgid: an ids_inquiry_kind, word: its round's
                          * number; asker: the loop that asks */
    IDS_MESSAGE_PART,    /* the same; body: this loop's part of the answer */
    IDS_MESSAGE_TALLY, /* body: an ids_tally_asker, word: the question's number;
                        * asker: the loop that asks (server/admin/tally.h) */
    IDS_MESSAGE_TALLIED, /* the same; body: this loop's part of the answer */
    IDS_MESSAGE_NOTICE,  /* word: an ids_notice, for the loop itself */
    IDS_MESSAGE_LIMITS,  /* word: an ids_loop_limits * that holds from now on */
    IDS_MESSAGE_COMMAND, /* word: an operator's command, see commands.c; for
                            loop 0 */
    IDS_MESSAGE_APPLY,   /* body: a tag, and a change to be put; word: the key's
                          * owner hash */
    IDS_MESSAGE_ERASE, /* body: the frame of one; what asker asked under msgid,
                        * for this loop's keys */
    IDS_MESSAGE_AUDITED, /* what asker asked under msgid is on record; word:
                          * errno's number if it is not */
    IDS_MESSAGE_EVENTS,  /* body: what is asked of this loop's events; msgid:
                          * of which poll of asker's loop (server/admin/polls.h)
                          */
    IDS_MESSAGE_EVENTED, /* the same; body: this loop's part of the answer */
    IDS_MESSAGE_APPLIED  /* body: ids_applied, see staging.h */
} ids_message_kind;

/* The asker waits (wait_ms > 0): not counted among what comes back soon. */
#define IDS_MESSAGE_WAITS            1u
/* The result was over the limit and skipped as it arrived. */
#define IDS_MESSAGE_RESULT_TOO_LARGE 2u
/* REPLY, EVENTED: it was held and will not leave; word: its error, as a
 * positive number. The body is what it would have been. */
#define IDS_MESSAGE_FAILED           4u
/* ASK, of what an operator looks at: the asker has these grants. */
#define IDS_MESSAGE_MAY_RESOLVE      8u
#define IDS_MESSAGE_MAY_ADMIN        16u

typedef struct ids_message {
    ids_asker asker;
    uint64_t word;
    uint32_t msgid;
    uint32_t asked_bytes; /* REPLY: size of the request that it answers; ASK:
                           * who would have the claim (ids_call.by) */
    uint32_t body_bytes;
    uint8_t kind; /* ids_message_kind */
    uint8_t flags;
} ids_message;

/* Appends an entry. With body NULL its body_bytes are left for the caller to
 * write. Returns where the body lies, NULL when out of memory. */
uint8_t *ids_message_append(ids_message_batch *batch,
                            const ids_message *message, const uint8_t *body);

/* Cuts the entry that was appended last to its true size. */
void ids_message_trim(ids_message_batch *batch, const uint8_t *body,
                      uint32_t body_bytes);

/* Overwrites the header of the entry with this body; its size stays. */
void ids_message_rewrite(uint8_t *body, const ids_message *message);

/* Walks a batch from *at = 0. False at its end. The body borrows from the
 * batch; it may be written to. */
bool ids_message_next(const ids_message_batch *batch, size_t *at,
                      ids_message *message, uint8_t **body);

#endif
