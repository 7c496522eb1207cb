/* SPDX-License-Identifier: Apache-2.0 */
/* input.h -- where a connection's bytes are received: into the worker's room
 * for input, from which they are served and forgotten; or, where a large
 * request has begun to come, behind what there is of it. Then its result is
 * copied once on its way from the socket to the record. */
#ifndef IDS_INPUT_H
#define IDS_INPUT_H

#include "server/line/line.h"

typedef struct ids_input {
    uint8_t *ptr;
    size_t max;    /* bytes; 0: nothing is to be read now */
    bool in_place; /* behind what was kept */
} ids_input;

/* So much of a connection may be read now: less while buffers fill up, since
 * what can't be served at once is kept; 0: nothing, until room to forward has
 * come for those who stand in line for it. */
size_t ids_input_max(const ids_line *line);

/* Room for the next read. It grows with what has come, never with what was
 * announced. */
ids_input ids_input_room(ids_line *line, ids_conn *conn);

/* What was kept is dealt with: a large buffer is kept for the next one, and
 * freed when nobody has come for it within a second. */
void ids_input_give_back(ids_line *line, idp_bytes *buffer);
void ids_input_tick(ids_spare_inputs *spares, uint64_t now_ms);
uint64_t ids_input_next_ms(const ids_spare_inputs *spares);
void ids_input_fini(ids_spare_inputs *spares);

#endif
