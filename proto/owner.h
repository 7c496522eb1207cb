/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h -- which shard a key belongs to. Server and client agree on it. */
#ifndef IDP_OWNER_H
#define IDP_OWNER_H

#include "proto/terms.h"

/* SipHash-2-4(hash_key; one byte of namespace length, namespace, key), read
 * as a little-endian u64. ns.len <= IDP_NS_BYTES_MAX and
 * key.len <= IDP_KEY_BYTES_MAX are the caller's to have checked. */
uint64_t idp_owner_hash(const uint8_t hash_key[IDP_HASH_KEY_BYTES],
                        idp_slice ns, idp_slice key);

/* hash mod shards; shards >= 1. */
uint32_t idp_owner_shard(uint64_t hash, uint32_t shards);

#endif
