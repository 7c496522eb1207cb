/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h -- which file this is, whatever it is called: its inode, and the
 * moment at which it was made.
 *
 * Pure. The upper half stands for the inode, the lower for the birth time; a
 * half that is not known is 0. A file that is moved, with its volume or within
 * it, stays the same; one that was copied, restored or unpacked is another. */
#ifndef IDS_IDENTITY_H
#define IDS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t ids_identity; /* 0: nothing is known */

static inline uint32_t ids_identity_half(uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdull;
    value ^= value >> 33;
    return (uint32_t)value | 1u;
}

/* birth_ns 0: the file system does not say. */
static inline ids_identity ids_identity_from(uint64_t inode,
                                             uint64_t birth_ns) {
    uint32_t birth = birth_ns ? ids_identity_half(birth_ns) : 0;
    return (uint64_t)ids_identity_half(inode) << 32 | birth;
}

/* As far as both are known. */
static inline bool ids_identity_same(ids_identity a, ids_identity b) {
    uint32_t inode_a = (uint32_t)(a >> 32), inode_b = (uint32_t)(b >> 32);
    uint32_t birth_a = (uint32_t)a, birth_b = (uint32_t)b;
    return (!inode_a || !inode_b || inode_a == inode_b) &&
           (!birth_a || !birth_b || birth_a == birth_b);
}

#endif
