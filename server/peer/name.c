/* SPDX-License-Identifier: Apache-2.0 */
/* name.c -- see name.h. Pure. */
#include "server/peer/name.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define DRAWN_LEN 16

static bool is_allowed(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

bool ids_node_name_from(ids_node_name *name, idp_slice bytes) {
    *name = (ids_node_name){{0}};
    if (bytes.len >= IDS_NODE_NAME_BYTES)
        return false;
    for (size_t i = 0; i < bytes.len; i++)
        if (!is_allowed(bytes.ptr[i]))
            return false;
    if (bytes.len > 0)
        memcpy(name->text, bytes.ptr, bytes.len);
    return true;
}

ids_node_name ids_node_name_of(uint64_t node) {
    ids_node_name name = {{0}};
    snprintf(name.text, sizeof name.text, "%016" PRIx64, node);
    return name;
}

/* 0: it is no drawn one's. */
static uint64_t drawn(const char *text) {
    uint64_t number = 0;
    for (size_t i = 0; i < DRAWN_LEN; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (!digit && (text[i] < 'a' || text[i] > 'f'))
            return 0;
        number = number << 4 | (uint64_t)(text[i] - (digit ? '0' : 'a' - 10));
    }
    return number;
}

uint64_t ids_node_number(const ids_node_name *name) {
    uint8_t hash[crypto_generichash_BYTES];
    size_t len = strlen(name->text);
    assert(len < IDS_NODE_NAME_BYTES);
    uint64_t number = len == DRAWN_LEN ? drawn(name->text) : 0;
    if (number != 0 || len == 0)
        return number;
    crypto_generichash(hash, sizeof hash, (const uint8_t *)name->text, len,
                       NULL, 0);
    for (int i = 0; i < 8; i++)
        number = number << 8 | hash[i];
    return number != 0 ? number : 1;
}
