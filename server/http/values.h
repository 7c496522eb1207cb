/* SPDX-License-Identifier: Apache-2.0 */
/* values.h -- what an argument says: bytes in three spellings, durations.
 *
 * Pure. Bytes are put behind to's end, where as much room is as the text is
 * long. */
#ifndef IDS_HTTP_VALUES_H
#define IDS_HTTP_VALUES_H

#include "proto/bytes.h"
#include "proto/terms.h"

bool ids_read_hex(idp_slice text, idp_bytes *to, idp_slice *bytes);

/* Of either alphabet, with its padding or without. */
bool ids_read_base64(idp_slice text, idp_bytes *to, idp_slice *bytes);

/* A part of a query, %XX undone; "+" is none of its characters. */
bool ids_read_query_part(idp_slice text, idp_bytes *to, idp_slice *bytes);

/* "30s": a whole number and ms, s, m, h or d. */
bool ids_read_duration(idp_slice text, uint64_t *ms);

/* Digits, of 0..2^53-1. */
bool ids_read_digits(idp_slice text, uint64_t *number);

#endif
