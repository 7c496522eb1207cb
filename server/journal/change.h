/* SPDX-License-Identifier: Apache-2.0 */
/* change.h -- a change record as bytes: what journal, snapshot and the peer's
 * stream have in common.
 *
 * Pure: bytes in, bytes out; nothing allocates and nothing that is announced
 * is believed before it is there. The bytes, varints as in LEB128:
 *
 *     u8      state in bits 0-2, class in 3, previous in 4-5, has_result in
 *             6; bit 7: it says who claimed it
 *     u8      length of the namespace
 *     varint  length of the key
 *   and, unless the state is absent:
 *     u8      length of the fingerprint
 *     u8      length of the nonce
 *     varint  the token's epoch, the upper 16 and the lower 48 bits of its
 *             sequence, attempt, ttl_ms, how much of the ttl is gone, age_ms
 *     varint  lease_ms, how much of the lease is gone   (in_progress,
 *             orphaned)
 *     u8      length of the claimer's name, not 0        (bit 7, and only
 *             where there is a lease)
 *     varint  length of the result                      (has_result)
 *   then the bytes of namespace, key, fingerprint, nonce, name, result.
 *
 * That is at most 47 bytes besides the payload for a loop's first 2^35 grants
 * in an epoch, and 36 for most. A change's number is not in it: it follows
 * from the frame around it. */
#ifndef IDS_CHANGE_H
#define IDS_CHANGE_H

#include "server/core/shard.h"

/* No result of a sound change is larger, whatever the limit of the day. */
#define IDS_CHANGE_RESULT_BYTES_MAX ((1u << 27) - 1)
/* All of a change but its payload. */
#define IDS_CHANGE_HEAD_BYTES_MAX   89
/* What a change without a result needs at most. */
#define IDS_CHANGE_BARE_BYTES_MAX                                       \
    (IDS_CHANGE_HEAD_BYTES_MAX + IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX + \
     IDP_FINGERPRINT_BYTES_MAX + IDP_NONCE_BYTES_MAX + IDP_USER_BYTES_MAX)

/* How many bytes ids_change_write needs at most for this change. */
size_t ids_change_write_bound(const ids_change *change);

/* Writes it whole and returns its size; to has room for the bound. One that was
 * encoded is copied. */
size_t ids_change_write(uint8_t *to, const ids_change *change);

/* Reads one change from the head of bytes; its number is 0 and its slices,
 * encoded among them, borrow from bytes. Returns how many bytes it took; 0:
 * these are not the bytes of a sound change (see ids_change_is_sound). */
size_t ids_change_read(const uint8_t *bytes, size_t len, ids_change *change);

#endif
