/* SPDX-License-Identifier: Apache-2.0 */
/* owner.c -- the hash that names a key's shard (see owner.h).
 *
 * Pure. SipHash-2-4 comes from libsodium's crypto_shorthash. */
#include "proto/owner.h"

#include <assert.h>
#include <sodium/crypto_shorthash.h>
#include <string.h>

static_assert(crypto_shorthash_KEYBYTES == IDP_HASH_KEY_BYTES &&
                  crypto_shorthash_BYTES == sizeof(uint64_t),
              "a 16-byte key and a 64-bit hash");
static_assert(IDP_NS_BYTES_MAX <= UINT8_MAX, "one byte holds its length");

uint64_t idp_owner_hash(const uint8_t hash_key[IDP_HASH_KEY_BYTES],
                        idp_slice ns, idp_slice key) {
    assert(ns.len <= IDP_NS_BYTES_MAX);
    assert(key.len <= IDP_KEY_BYTES_MAX);
    uint8_t text[1 + IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX];
    text[0] = (uint8_t)ns.len;
    if (ns.len > 0) {
        memcpy(text + 1, ns.ptr, ns.len);
    }
    if (key.len > 0) {
        memcpy(text + 1 + ns.len, key.ptr, key.len);
    }
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, text, 1 + ns.len + key.len, hash_key);
    uint64_t little;
    memcpy(&little, hash, sizeof little);
    return little;
}

uint32_t idp_owner_shard(uint64_t hash, uint32_t shards) {
    assert(shards >= 1);
    return (uint32_t)(hash % shards);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the hash and the byte swaps of this room say little-endian");
