/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h -- replies on their way out: to a connection of this worker, or by
 * message to the worker that it is on. */
#ifndef IDS_REPLY_H
#define IDS_REPLY_H

#include "proto/reply.h"
#include "server/worker/output.h"

/* Why LIMIT is said to who is over --max-connections. */
#define IDS_TOO_MANY_CONNECTIONS                          \
    "too many connections (--max-connections); this one " \
    "is closed, connect again later"

/* Each appends a reply to the connection's output. Where that goes over a
 * limit the connection is dead afterwards; an answer that carries a result
 * becomes LIMIT instead, for it can be asked for again. */
void ids_reply_answer(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                      const idp_answer *answer);
/* text NULL: the code's own. */
void ids_reply_error(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                     idp_error error, const char *text);
void ids_reply_pong(ids_worker *worker, ids_conn *conn, uint32_t msgid);

/* What is read where there is no room for a result now. */
extern const char ids_reply_no_room[];

/* A reply that another worker wrote. */
void ids_reply_forward(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                       idp_slice reply);

/* The same for one that waits here, if it is still there: it waits for that no
 * longer. */
void ids_reply_to_waiter(ids_worker *worker, ids_asker asker, uint32_t msgid,
                         idp_slice reply);

/* Bytes that leave as they are. */
void ids_reply_bytes(ids_worker *worker, ids_conn *conn, const void *bytes,
                     size_t len);

/* The same for an asker on another worker. asked_bytes and flags go back as
 * they came with the question. An error where answer is NULL. */
typedef struct ids_reply_to {
    ids_asker asker;
    uint32_t msgid;
    uint32_t asked_bytes;
    uint8_t flags;    /* IDS_MESSAGE_WAITS */
    const char *text; /* an error's; NULL: the code's own */
} ids_reply_to;

void ids_reply_message(ids_worker *worker, const ids_reply_to *to,
                       idp_error error, const idp_answer *answer);

/* Whether that loop takes no more results by message. */
bool ids_reply_message_is_full(const ids_worker *worker,
                               const ids_message_batch *batch, uint32_t loop);

/* A reply that is whole, and shows a record or not: on this worker's
 * connection, or to another loop's. Where there is no room for it, LIMIT is. */
void ids_reply_made(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                    idp_slice reply, ids_showing shows);
void ids_reply_message_made(ids_worker *worker, const ids_reply_to *to,
                            idp_slice reply, ids_showing shows);

#endif
