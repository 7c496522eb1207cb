/* SPDX-License-Identifier: Apache-2.0 */
/* looks.h -- what an operator looks at: list, inspect, clients, slow; and kill.
 *
 * Each call is one worker's to answer: whose records the walk is at, whose key
 * or whose connection it is. The worker that is asked finds out whose (plan);
 * that one makes the reply as a whole (make), which then goes the way of any
 * reply, through its commit gate and back. */
#ifndef IDS_LOOKS_H
#define IDS_LOOKS_H

#include "server/worker/worker.h"

static inline bool ids_method_looks(idp_method method) {
    return method >= IDP_LIST && method <= IDP_SLOW;
}

typedef struct ids_look {
    const idp_request *request;
    ids_asker asker;
    uint64_t word; /* list: the walk; inspect: the key's hash; clients: the
                    * first slot; kill: whom */
    uint32_t owner;
    uint8_t flags; /* IDS_MESSAGE_MAY_... */
} ids_look;

/* Whose it is, what of it, and what the asker may see. Else an error, and a
 * text. */
idp_error ids_looks_plan(ids_worker *worker, const ids_conn *conn,
                         ids_look *look, const char **text);

/* This worker's answer, as a whole reply to the request. frame is empty and is
 * to be freed. False: no memory. shows: whether a record is in it. */
bool ids_looks_make(ids_worker *worker, const ids_look *look, idp_bytes *frame,
                    ids_showing *shows);

/* What the workers share for it; a server is given it, and gives it back.
 * False: no memory. */
bool ids_looks_open(ids_server *server);
void ids_looks_close(ids_server *server);

#endif
