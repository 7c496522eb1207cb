/* SPDX-License-Identifier: Apache-2.0 */
/* sources.h -- where connections come from, and who of those has shaken hands
 * within the last hour: a table of one node, of fixed size, which forgets when
 * two fall on one place. Any thread, without a lock. */
#ifndef IDS_SOURCES_H
#define IDS_SOURCES_H

#include "proto/owner.h"
#include "server/worker/who.h"

#include <stdatomic.h>

#define IDS_SOURCES       4096u
#define IDS_SOURCE_KEPT_S 3600u

typedef struct ids_sources {
    uint8_t key[IDP_HASH_KEY_BYTES]; /* random: nobody picks a place */
    _Atomic uint64_t of[IDS_SOURCES];
} ids_sources;

/* An IPv4 address, or the /64 of another. */
uint64_t ids_source_of(const ids_who *who);

void ids_sources_note(ids_sources *sources, uint64_t source, uint64_t now_ms);
bool ids_sources_know(const ids_sources *sources, uint64_t source,
                      uint64_t now_ms);

#endif
