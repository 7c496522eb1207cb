/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c -- what metrics answers: encode and decode.
 *
 * Pure. What is in the text is the server's to say. */
#include "proto/metrics.h"

#include "proto/cursor.h"
#include "proto/put.h"

size_t idp_metrics_write_bound(size_t text_bytes) {
    return PUT_REPLY_HEAD_BYTES_MAX + PUT_HEADER_BYTES_MAX + text_bytes;
}

size_t idp_metrics_write(uint8_t *to, size_t cap, uint32_t msgid,
                         idp_slice text) {
    if (cap < idp_metrics_write_bound(text.len)) {
        return 0;
    }
    uint8_t *at = put_str(put_reply_head(to, msgid), text.ptr, text.len);
    return (size_t)(at - to);
}

bool idp_metrics_read(idp_slice result, idp_slice *text) {
    cursor c = cursor_over(result);
    return cursor_bytes(&c, text);
}
