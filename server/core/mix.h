/* SPDX-License-Identifier: Apache-2.0 */
/* mix.h -- a secret function of a hash: what buckets are chosen by.
 *
 * Clients know hash_key (hello tells it) and can choose keys whose hashes
 * agree in any bits they like. What they can't choose is where these land:
 * (a * hash + b) mod 2^128, of which the upper bits are used, with a and b
 * random and told to nobody. Any two different hashes agree in n of those bits
 * with probability 2^-n, whatever they are (Dietzfelbinger's multiply-shift,
 * which is strongly universal for upper bits up to the 65th). Two
 * multiplications; a second SipHash would cost ten times as much.
 *
 * What is left are keys whose 64-bit hashes are equal. A pair costs 2^32
 * SipHashes, c that all agree about 2^(64 (c - 1) / c): four 2^48, eight 2^56.
 * So no chain becomes long, and no step over one costs more than its length.
 * Pure. */
#ifndef IDS_MIX_H
#define IDS_MIX_H

#include <stdint.h>

typedef struct ids_mix_key {
    uint64_t a[2], b[2]; /* the lower half first */
} ids_mix_key;

/* So that a key of zeros, as tests have it, still mixes. */
#define IDS_MIX_A0 0x9e3779b97f4a7c15u
#define IDS_MIX_A1 0xd1b54a32d192ed03u

/* What a shard is given as a key's hash: 32 secret bits, by which it is looked
 * up, above the lower half of the owner's hash. */
static inline uint32_t ids_mix(const ids_mix_key *key, uint64_t hash);
static inline uint64_t ids_mix_hash(const ids_mix_key *key,
                                    uint64_t owner_hash) {
    return (uint64_t)ids_mix(key, owner_hash) << 32 | (uint32_t)owner_hash;
}

/* The upper 32 bits. */
static inline uint32_t ids_mix(const ids_mix_key *key, uint64_t hash) {
    __extension__ typedef unsigned __int128 u128;
    u128 low = (u128)(key->a[0] ^ IDS_MIX_A0) * hash + key->b[0];
    uint64_t high = (uint64_t)(low >> 64) + (key->a[1] ^ IDS_MIX_A1) * hash;
    return (uint32_t)((high + key->b[1]) >> 32);
}

#endif
