/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.c -- one digest over many parts. */
#include <sodium.h>

#include "client/include/idemclient.h"
#include "proto/put.h"

void idem_fingerprint(const idem_slice *parts, size_t parts_count,
                      uint8_t *fingerprint) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < parts_count; i++) {
        uint8_t length[8];
        put_be64(length, parts[i].len);
        crypto_hash_sha256_update(&state, length, sizeof length);
        if (parts[i].len > 0)
            crypto_hash_sha256_update(&state, parts[i].ptr, parts[i].len);
    }
    crypto_hash_sha256_final(&state, fingerprint);
}
