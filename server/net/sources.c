/* SPDX-License-Identifier: Apache-2.0 */
/* sources.c -- see sources.h. An entry is half of the source's hash, and the
 * second in which it was noted. */
#include "server/net/sources.h"

#include <string.h>
#include <sys/socket.h>

uint64_t ids_source_of(const ids_who *who) {
    uint64_t source = 0;
    if (who->family == AF_INET)
        memcpy(&source, who->address, 4);
    else
        memcpy(&source, who->address, sizeof source);
    return source;
}

static uint64_t source_hash_of(const ids_sources *sources, uint64_t source) {
    uint8_t bytes[sizeof source];
    memcpy(bytes, &source, sizeof source);
    return idp_owner_hash(sources->key, (idp_slice){0},
                          (idp_slice){bytes, sizeof bytes});
}

static uint32_t second_of(uint64_t now_ms) {
    return (uint32_t)(now_ms / 1000) + 1; /* 0: nobody was noted */
}

void ids_sources_note(ids_sources *sources, uint64_t source, uint64_t now_ms) {
    uint64_t hash = source_hash_of(sources, source);
    atomic_store_explicit(&sources->of[hash % IDS_SOURCES],
                          (hash & ~(uint64_t)UINT32_MAX) | second_of(now_ms),
                          memory_order_relaxed);
}

bool ids_sources_know(const ids_sources *sources, uint64_t source,
                      uint64_t now_ms) {
    uint64_t hash = source_hash_of(sources, source);
    uint64_t entry = atomic_load_explicit(&sources->of[hash % IDS_SOURCES],
                                          memory_order_relaxed);
    return entry >> 32 == hash >> 32 && (uint32_t)entry != 0 &&
           second_of(now_ms) - (uint32_t)entry <= IDS_SOURCE_KEPT_S;
}
