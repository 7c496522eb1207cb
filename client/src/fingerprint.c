/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.c -- one digest over many parts. */
#include <sodium.h>

#include "client/include/idemclient.h"

static void put_u64_be(uint8_t *to, uint64_t value) {
    for (int i = 7; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

void idem_fingerprint(const idem_slice *parts, size_t parts_count,
                      uint8_t *fingerprint) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < parts_count; i++) {
        uint8_t length[8];
        put_u64_be(length, parts[i].len);
        crypto_hash_sha256_update(&state, length, sizeof length);
        if (parts[i].len > 0)
            crypto_hash_sha256_update(&state, parts[i].ptr, parts[i].len);
    }
    crypto_hash_sha256_final(&state, fingerprint);
}
