/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h -- msgpack-c's packer into a buffer, for the replies that are rare.
 *
 * What is asked a million times a second is written by put.h; a map that is
 * asked for once per connection is better written by a library. Packing is
 * all in msgpack-c's headers: nothing is linked, nothing allocates. */
#ifndef IDP_PACK_H
#define IDP_PACK_H

#include "proto/terms.h"

#include <msgpack.h>

#include <string.h>

typedef struct pack_buffer {
    uint8_t *at;
    const uint8_t *end;
    bool is_full; /* something did not fit, and what is there is worthless */
} pack_buffer;

static inline int pack_write(void *ctx, const char *bytes, size_t len) {
    pack_buffer *buffer = ctx;
    if (len > (size_t)(buffer->end - buffer->at)) {
        buffer->is_full = true;
        return -1;
    }
    memcpy(buffer->at, bytes, len);
    buffer->at += len;
    return 0;
}

static inline void pack_text(msgpack_packer *packer, const char *text,
                             size_t len) {
    msgpack_pack_str(packer, len);
    msgpack_pack_str_body(packer, text, len);
}

static inline void pack_word(msgpack_packer *packer, const char *word) {
    pack_text(packer, word, strlen(word));
}

/* No integer above IDP_INT_MAX ever leaves. */
static inline void pack_number(msgpack_packer *packer, uint64_t value) {
    msgpack_pack_uint64(packer, value < IDP_INT_MAX ? value : IDP_INT_MAX);
}

static inline void pack_pair(msgpack_packer *packer, const char *name,
                             uint64_t value) {
    pack_word(packer, name);
    pack_number(packer, value);
}

#endif
