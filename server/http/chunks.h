/* SPDX-License-Identifier: Apache-2.0 */
/* chunks.h -- a chunked body, piece by piece as it comes.
 *
 * Pure; nothing is kept but where it stands. Extensions and the trailer are
 * read over, within bounds. */
#ifndef IDS_HTTP_CHUNKS_H
#define IDS_HTTP_CHUNKS_H

#include "server/http/head.h"

#define IDS_HTTP_EXTENSION_BYTES_MAX 256u /* of one chunk */
#define IDS_HTTP_TRAILER_BYTES_MAX   (4u << 10)

typedef enum ids_http_chunks_at {
    IDS_HTTP_AT_SIZE,
    IDS_HTTP_AT_DATA,
    IDS_HTTP_AT_DATA_END, /* the CR LF behind */
    IDS_HTTP_AT_TRAILER,
    IDS_HTTP_AT_END
} ids_http_chunks_at;

/* All zero at first. */
typedef struct ids_http_chunks {
    ids_http_chunks_at at;
    uint64_t left;    /* of this chunk's data */
    uint32_t trailer; /* bytes of it so far */
} ids_http_chunks;

/* Takes what it can off the head of bytes: *used of them, and *data is what of
 * the body is among these; call again for more. PARTIAL: the rest has to come
 * yet. WHOLE: the body has ended. BAD: fault says why. */
ids_http_read ids_http_chunks_next(ids_http_chunks *chunks,
                                   const uint8_t *bytes, size_t len,
                                   size_t *used, idp_slice *data,
                                   ids_http_fault *fault);

#endif
