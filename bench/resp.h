/* SPDX-License-Identifier: Apache-2.0 */
/* resp.h -- reading one RESP2 reply from the head of a buffer.
 *
 * Only what the commands of ours are answered with: a status, an error, an
 * integer, a bulk string or nil. */
#ifndef IDB_RESP_H
#define IDB_RESP_H

#include "bench/target.h"

typedef struct idb_resp {
    char type;          /* '+' '-' ':' '$' */
    bool nil;           /* "$-1" */
    const uint8_t *ptr; /* the text behind the type, or the bulk's bytes */
    size_t len;
    uint32_t bytes; /* of the whole reply */
} idb_resp;

idb_read_status idb_resp_read(const uint8_t *bytes, size_t len, idb_resp *resp);

#endif
