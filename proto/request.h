/* SPDX-License-Identifier: Apache-2.0 */
/* request.h -- a request: encode and decode, side by side.
 *
 * Pure: bytes in, bytes out. Nothing here allocates, and no announced count
 * or length is believed before the bytes that it announces are there. */
#ifndef IDP_REQUEST_H
#define IDP_REQUEST_H

#include "proto/error.h"
#include "proto/terms.h"

/* What the bytes at the head of a connection's input are. */
typedef enum idp_read {
    IDP_READ_WHOLE,    /* one request, well formed */
    IDP_READ_REFUSED,  /* one whole frame that gets an error as its answer */
    IDP_READ_PARTIAL,  /* the beginning of a frame; more is needed */
    IDP_READ_OVERSIZE, /* a complete whose result is over the limit: see
                        * idp_request_read */
    IDP_READ_BROKEN    /* not our protocol: answer if msgid is known, close */
} idp_read;

typedef struct idp_read_limits {
    size_t result_bytes_max;
} idp_read_limits;

/* The size of the largest legal request under these limits. A frame that is
 * announced or grows larger is IDP_READ_BROKEN with IDP_E_TOO_LARGE, or
 * IDP_READ_OVERSIZE where only a result makes it so. */
size_t idp_request_bytes_max(size_t result_bytes_max);

/* Details of a read that was not WHOLE. */
typedef struct idp_read_fault {
    idp_error error;   /* REFUSED, BROKEN */
    const char *text;  /* REFUSED, BROKEN: what is wrong with which field,
                        * without the code; static storage */
    bool has_msgid;    /* BROKEN: false when there is nobody to answer */
    uint32_t msgid;    /* REFUSED; BROKEN with has_msgid */
    size_t need_bytes; /* PARTIAL: a lower bound of the bytes that the frame
                        * has; reading again before they are there is vain */
    size_t payload_at; /* OVERSIZE: where the result's header begins, */
    size_t payload_header_bytes; /* how long that header is, */
    uint64_t payload_bytes;      /* and how long the bytes behind it are */
} idp_read_fault;

/* Reads one request from the head of bytes.
 *
 * bytes, len   the input that has arrived and was not consumed yet
 * request      filled when WHOLE; its slices borrow from bytes
 * fault        filled when not WHOLE
 * frame_bytes  WHOLE, REFUSED: how many bytes the frame took
 *
 * OVERSIZE: the caller replaces the result's header and payload by one nil
 * byte (0xc0), drops payload_bytes as they arrive, reads the frame again when
 * it is whole and sets request.result_too_large.
 *
 * A hot method costs one straight pass; anything unusual goes through the
 * bounded scan. str and bin are both accepted where bytes are meant, and a
 * float is accepted as an integer where its value is one (JavaScript clients
 * send those beyond 2^31). */
idp_read idp_request_read(const uint8_t *bytes, size_t len,
                          const idp_read_limits *limits, idp_request *request,
                          size_t *frame_bytes, idp_read_fault *fault);

/* An upper bound of what idp_request_write will need for this request. */
size_t idp_request_write_bound(const idp_request *request);

/* Writes the request whole, or nothing. Returns its size; 0 when cap is under
 * the bound. Optional parameters that have their default are left out. The
 * limits are the caller's to have checked. */
size_t idp_request_write(uint8_t *to, size_t cap, const idp_request *request);

#endif
