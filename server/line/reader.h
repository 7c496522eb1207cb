/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h -- a connection's requests, from the bytes they come in; and how
 * connections come to a line and leave it. */
#ifndef IDS_READER_H
#define IDS_READER_H

#include "server/line/input.h"

/* adopt gives the connection a name on this line's worker and serves what it
 * brought along; false: out of memory, it is still the caller's. drop takes the
 * name away, and forgets it here and at other loops; it is the caller's again.
 */
bool ids_reader_adopt(ids_line *line, ids_conn *conn);
void ids_reader_drop(ids_line *line, ids_conn *conn);

/* Hands a connection that is on no worker to a loop (which may be this one). On
 * false (out of memory) it is still the caller's. */
bool ids_reader_give(ids_line *line, ids_conn *conn, uint32_t loop);

/* len bytes have come: into ids_line_input_room; or where ids_input_room said.
 */
void ids_reader_input(ids_line *line, ids_conn *conn, size_t len);
void ids_reader_received(ids_line *line, ids_conn *conn, const ids_input *input,
                         size_t len);

/* Serves what was gathered, in its order; whoever gathers calls it before he
 * sleeps, and whenever as many as there may be were (gather.h). */
void ids_reader_serve_gathered(ids_line *line);

/* One whole request has come, made for the connection by its driver; the line
 * takes its bytes. Nothing else of the connection waits to be served. */
void ids_reader_take(ids_line *line, ids_conn *conn, idp_bytes *request);

/* Serves on from the input that was left lying when it stalled. */
void ids_reader_resume(ids_line *line, ids_conn *conn);

/* The peer sends no more: its waiters are forgotten. */
void ids_reader_end(ids_line *line, ids_conn *conn);

/* One in surplus that has asked nothing is told all the same. */
void ids_reader_refuse(ids_line *line, ids_conn *conn);

#endif
