/* SPDX-License-Identifier: Apache-2.0 */
/* mail.h -- what stands in a parcel: headers, each with its bytes behind it.
 *
 * Plain memory between threads of one process: no wire format, no endianness.
 * Each entry begins at a multiple of eight. */
#ifndef IDS_MAIL_H
#define IDS_MAIL_H

#include "server/core/shard.h"
#include "server/mailbox.h"

typedef enum ids_mail_kind {
    IDS_MAIL_ASK,     /* body: a request's frame; word: its owner hash */
    IDS_MAIL_REPLY,   /* body: a reply's frame; word: how large the answer is,
                       * or was, where there was no room for it */
    IDS_MAIL_REPLAYS, /* body: so many (msgid) ids_woken_asker, and the rest of
                       * a reply that they all get */
    IDS_MAIL_FORGET,  /* the asker is gone */
    IDS_MAIL_GIVE,    /* word: an ids_conn * that is yours now */
    IDS_MAIL_INQUIRY, /* msgid: an ids_inquiry_kind, word: its round's number;
                       * asker: the loop that asks */
    IDS_MAIL_PART,    /* the same; body: this loop's part of the answer */
    IDS_MAIL_NOTICE,  /* word: an ids_notice, for the loop itself */
    IDS_MAIL_ORDER,   /* word: an operator's order, see orders.c; for loop 0 */
    IDS_MAIL_APPLY,   /* body: a tag, and a change to be put; word: the key's
                       * owner hash */
    IDS_MAIL_APPLIED  /* body: ids_applied, see copy.h */
} ids_mail_kind;

/* The asker waits (wait_ms > 0): not counted among what comes back soon. */
#define IDS_MAIL_WAITS            1u
/* The result was over the limit and skipped as it arrived. */
#define IDS_MAIL_RESULT_TOO_LARGE 2u
/* REPLY: it was held and will not leave; word: its error, as a positive
 * number. The body is what it would have been. */
#define IDS_MAIL_FAILED           4u

typedef struct ids_mail {
    ids_asker asker;
    uint64_t word;
    uint32_t msgid;
    uint32_t asked_bytes; /* REPLY: size of the request that it answers */
    uint32_t body_bytes;
    uint8_t kind; /* ids_mail_kind */
    uint8_t flags;
} ids_mail;

/* Appends an entry. With body NULL its body_bytes are left for the caller to
 * write. Returns where the body lies, NULL when out of memory. */
uint8_t *ids_mail_append(ids_parcel *parcel, const ids_mail *mail,
                         const uint8_t *body);

/* Cuts the entry that was appended last to its true size. */
void ids_mail_trim(ids_parcel *parcel, const uint8_t *body,
                   uint32_t body_bytes);

/* Overwrites the header of the entry with this body; its size stays. */
void ids_mail_rewrite(uint8_t *body, const ids_mail *mail);

/* Walks a parcel from *at = 0. False at its end. The body borrows from the
 * parcel; it may be written to. */
bool ids_mail_next(const ids_parcel *parcel, size_t *at, ids_mail *mail,
                   uint8_t **body);

#endif
