/* SPDX-License-Identifier: Apache-2.0 */
/* hello.c -- what hello answers: encode and decode.
 *
 * Pure. Keys that a later version adds are skipped. */
#include "proto/reply.h"

#include "proto/cursor.h"
#include "proto/pack.h"
#include "proto/put.h"
#include "proto/scan.h"
#include "proto/text.h"

static void pack_field(msgpack_packer *packer, const char *name,
                       const char *text, size_t size) {
    pack_word(packer, name);
    pack_text(packer, text, strnlen(text, size));
}

static void pack_limits(msgpack_packer *packer, const idp_hello *h) {
    pack_word(packer, "limits");
    msgpack_pack_map(packer, 3);
    pack_pair(packer, "result_bytes_max", h->result_bytes_max);
    pack_pair(packer, "frame_bytes_max", h->frame_bytes_max);
    pack_pair(packer, "pending_max", h->pending_max);
}

static void pack_hello(msgpack_packer *packer, const idp_hello *h) {
    bool has_user = h->user[0] != '\0';
    msgpack_pack_map(packer, 9 + has_user);
    pack_field(packer, "server", h->server, sizeof h->server);
    pack_field(packer, "version", h->version, sizeof h->version);
    pack_pair(packer, "protocol", h->protocol);
    pack_field(packer, "role", h->role, sizeof h->role);
    pack_pair(packer, "epoch", h->epoch);
    pack_pair(packer, "shards", h->shards);
    pack_pair(packer, "shard", h->shard);
    pack_word(packer, "hash_key");
    msgpack_pack_bin(packer, sizeof h->hash_key);
    msgpack_pack_bin_body(packer, h->hash_key, sizeof h->hash_key);
    pack_limits(packer, h);
    if (has_user) {
        pack_field(packer, "user", h->user, sizeof h->user);
    }
}

size_t idp_hello_write(uint8_t *to, size_t cap, uint32_t msgid,
                       const idp_hello *h) {
    pack_buffer buffer = {.end = to + cap};
    msgpack_packer packer;
    if (cap < IDP_HELLO_BYTES_MAX) {
        return 0;
    }
    buffer.at = put_reply_head(to, msgid);
    msgpack_packer_init(&packer, &buffer, pack_write);
    pack_hello(&packer, h);
    return buffer.is_full ? 0 : (size_t)(buffer.at - to);
}

/* Reading --------------------------------------------------------------- */

static bool hash_key_read(cursor *c, uint8_t to[IDP_HASH_KEY_BYTES]) {
    idp_slice bytes;
    if (!cursor_bytes(c, &bytes) || bytes.len != IDP_HASH_KEY_BYTES) {
        return false;
    }
    memcpy(to, bytes.ptr, IDP_HASH_KEY_BYTES);
    return true;
}

static bool limits_read(cursor *c, idp_hello *h) {
    uint32_t pairs;
    if (!cursor_map(c, &pairs)) {
        return false;
    }
    for (; pairs > 0; pairs--) {
        idp_slice name;
        if (!cursor_bytes(c, &name)) {
            return false;
        }
        bool good = slice_is(name, "result_bytes_max")
                        ? cursor_uint(c, &h->result_bytes_max)
                    : slice_is(name, "frame_bytes_max")
                        ? cursor_uint(c, &h->frame_bytes_max)
                    : slice_is(name, "pending_max")
                        ? cursor_uint(c, &h->pending_max)
                        : idp_skip(c);
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Keys that routing can't do without. */
enum { HAS_PROTOCOL = 1, HAS_SHARDS = 2, HAS_HASH_KEY = 4, HAS_ALL = 7 };

static bool hello_pair_read(cursor *c, idp_hello *h, unsigned *has) {
    idp_slice name;
    if (!cursor_bytes(c, &name)) {
        return false;
    }
    if (slice_is(name, "server")) {
        return text_read(c, h->server, sizeof h->server);
    }
    if (slice_is(name, "version")) {
        return text_read(c, h->version, sizeof h->version);
    }
    if (slice_is(name, "protocol")) {
        *has |= HAS_PROTOCOL;
        return cursor_u32(c, &h->protocol);
    }
    if (slice_is(name, "role")) {
        return text_read(c, h->role, sizeof h->role);
    }
    if (slice_is(name, "epoch")) {
        return cursor_uint(c, &h->epoch);
    }
    if (slice_is(name, "shards")) {
        *has |= HAS_SHARDS;
        return cursor_u32(c, &h->shards);
    }
    if (slice_is(name, "shard")) {
        return cursor_u32(c, &h->shard);
    }
    if (slice_is(name, "hash_key")) {
        *has |= HAS_HASH_KEY;
        return hash_key_read(c, h->hash_key);
    }
    if (slice_is(name, "user")) {
        return text_read(c, h->user, sizeof h->user);
    }
    return slice_is(name, "limits") ? limits_read(c, h) : idp_skip(c);
}

bool idp_hello_read(idp_slice result, idp_hello *hello) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    unsigned has = 0;
    *hello = (idp_hello){0};
    if (!cursor_map(&c, &pairs)) {
        return false;
    }
    for (; pairs > 0; pairs--) {
        if (!hello_pair_read(&c, hello, &has)) {
            return false;
        }
    }
    /* A shard below shards says that there is at least one. */
    return has == HAS_ALL && hello->shards <= IDP_SHARDS_MAX &&
           hello->shard < hello->shards;
}
