/* SPDX-License-Identifier: Apache-2.0 */
/* message.c -- what stands in a batch: headers, each with its bytes behind it.
 */
#include "server/worker/message.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(ids_message) == 32, "a header is half a cache line");

static size_t entry_bytes(size_t bytes) {
    return (bytes + 7) & ~(size_t)7;
}

uint8_t *ids_message_append(ids_message_batch *batch,
                            const ids_message *message, const uint8_t *body) {
    idp_bytes *to = &batch->message;
    size_t size = sizeof *message + entry_bytes(message->body_bytes);
    if (!idp_bytes_reserve(to, size))
        return NULL;
    uint8_t *at = to->ptr + to->len;
    memcpy(at, message, sizeof *message);
    if (body)
        memcpy(at + sizeof *message, body, message->body_bytes);
    to->len += size;
    return at + sizeof *message;
}

void ids_message_trim(ids_message_batch *batch, const uint8_t *body,
                      uint32_t body_bytes) {
    size_t at = (size_t)(body - batch->message.ptr);
    uint8_t *header = batch->message.ptr + at - sizeof(ids_message);
    assert(at + body_bytes <= batch->message.len);
    memcpy(header + offsetof(ids_message, body_bytes), &body_bytes,
           sizeof body_bytes);
    batch->message.len = at + entry_bytes(body_bytes);
}

void ids_message_rewrite(uint8_t *body, const ids_message *message) {
    memcpy(body - sizeof *message, message, sizeof *message);
}

bool ids_message_next(const ids_message_batch *batch, size_t *at,
                      ids_message *message, uint8_t **body) {
    const idp_bytes *from = &batch->message;
    if (*at == from->len)
        return false;
    assert(from->len - *at >= sizeof *message);
    memcpy(message, from->ptr + *at, sizeof *message);
    *body = from->ptr + *at + sizeof *message;
    *at += sizeof *message + entry_bytes(message->body_bytes);
    assert(*at <= from->len);
    return true;
}
