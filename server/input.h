/* SPDX-License-Identifier: Apache-2.0 */
/* input.h -- where a connection's bytes are received: into the worker's room
 * for input, from which they are served and forgotten; or, where a large
 * request has begun to come, behind what there is of it. Then its result is
 * copied once on its way from the socket to the record. */
#ifndef IDS_INPUT_H
#define IDS_INPUT_H

#include "server/conn.h"

typedef struct ids_input {
    uint8_t *ptr;
    size_t max;    /* bytes; 0: nothing is to be read now */
    bool in_place; /* behind what was kept */
} ids_input;

/* Room for the next read. It grows with what has come, never with what was
 * announced. */
ids_input ids_input_room(ids_desk *desk, ids_conn *conn);

/* So many bytes have come into it. */
void ids_input_received(ids_desk *desk, ids_conn *conn, const ids_input *input,
                        size_t len);

/* What was kept is dealt with: a large buffer is kept for the next one. */
void ids_input_look(ids_desk *desk); /* nobody has come for a second: freed */
void ids_input_give_back(ids_desk *desk, ids_bytes *buffer);

#endif
