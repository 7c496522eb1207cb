/* SPDX-License-Identifier: Apache-2.0 */
/* gather.h -- requests that come alone on their connections, several of which
 * are ready at once: they are read and decoded first, then served together.
 *
 * What each of them looks for in the table is fetched meanwhile, as for the
 * requests of a pipeline. Order is kept where there is one, within a
 * connection: it stands here once at most, and is read no further. */
#ifndef IDS_GATHER_H
#define IDS_GATHER_H

#include "server/line/line.h"

/* Where the connection's next bytes go, IDS_GATHERED_BYTES at most; NULL: it is
 * to be read by itself (ids_input_room), since its last request did not come
 * alone, or was large, or something of it waits. */
uint8_t *ids_gather_room(ids_line *line, const ids_conn *conn);

/* len bytes have come there. True: they are one request and no more, which is
 * served with the others (ids_reader_serve_gathered). False: they were put into
 * the line's room for input, and are the reader's. */
bool ids_gather_take(ids_line *line, ids_conn *conn, size_t len);

static inline bool ids_gather_is_full(const ids_gather *gather) {
    return gather->count == IDS_GATHERED_MAX;
}

/* Who gathers gives room to requests once. False: out of memory. */
bool ids_gather_init(ids_gather *gather);
void ids_gather_fini(ids_gather *gather);

/* The connection goes, and what it asked with it. */
void ids_gather_forget(ids_gather *gather, ids_conn *conn);

#endif
