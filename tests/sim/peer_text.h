/* SPDX-License-Identifier: Apache-2.0 */
/* peer_text.h -- short texts and tokens of a world, and which are the same. */
#ifndef SIM_PEER_TEXT_H
#define SIM_PEER_TEXT_H

#include "proto/terms.h"

#include <string.h>

enum { PW_TEXT = 24 }; /* bytes of nonces, fingerprints and results */

typedef struct pw_text {
    uint8_t bytes[PW_TEXT];
    size_t len;
} pw_text;

static inline bool pw_same_text(const pw_text *a, const pw_text *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static inline int pw_compare(idp_token a, idp_token b) {
    if (a.epoch != b.epoch) {
        return a.epoch < b.epoch ? -1 : 1;
    }
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

#endif
