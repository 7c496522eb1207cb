/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h -- what metrics answers, a text: encode and decode.
 *
 * Pure, like reply.h. */
#ifndef IDP_METRICS_H
#define IDP_METRICS_H

#include "proto/terms.h"

/* The longest text that a server sends. */
#define IDP_METRICS_TEXT_BYTES_MAX (256u << 10)

/* A whole reply, or nothing. Returns its size; 0 when cap is under the bound.
 * text: UTF-8. */
size_t idp_metrics_write_bound(size_t text_bytes);
size_t idp_metrics_write(uint8_t *to, size_t cap, uint32_t msgid,
                         idp_slice text);

/* The text borrows from result. False when that is none. */
bool idp_metrics_read(idp_slice result, idp_slice *text);

#endif
