/* SPDX-License-Identifier: Apache-2.0 */
/* failures.h -- who has shown wrong secrets lately, source by source.
 *
 * A source has a bucket of 10 failures, of which one comes back each second.
 * Pure; time is an argument. Whoever shares it locks it. */
#ifndef IDS_FAILURES_H
#define IDS_FAILURES_H

#include "proto/terms.h"

#define IDS_FAILURES_BUCKET      10
#define IDS_FAILURES_SOURCES_MAX 8192

/* An address of IPv4, the first 64 bits of one of IPv6, or this machine. */
typedef struct ids_source {
    uint8_t bytes[16];
} ids_source;

typedef struct ids_failures ids_failures;

/* NULL: no memory. It takes its memory (some 400 KiB) with the first failure.
 */
ids_failures *ids_failures_new(void);
void ids_failures_free(ids_failures *failures);

/* One more from there. True: its bucket is empty, and it is to wait. Where
 * there are too many sources the one that failed longest ago is forgotten. */
bool ids_failures_note(ids_failures *failures, const ids_source *source,
                       uint64_t now_ms);

/* How many sources it knows. */
uint32_t ids_failures_sources(const ids_failures *failures);

#endif
