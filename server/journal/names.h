/* SPDX-License-Identifier: Apache-2.0 */
/* names.h -- what the files of the folder are called. Pure. */
#ifndef IDS_NAMES_H
#define IDS_NAMES_H

#include "server/journal/disk.h"

#define IDS_NAME_MANIFEST     "MANIFEST"
#define IDS_NAME_MANIFEST_NEW "MANIFEST.new"
#define IDS_NAME_LOCK         "LOCK"

typedef enum ids_name_kind {
    IDS_NAME_OTHER, /* not ours: left alone */
    IDS_NAME_IS_MANIFEST,
    IDS_NAME_IS_MANIFEST_NEW,
    IDS_NAME_IS_LOG,
    IDS_NAME_IS_SNAPSHOT
} ids_name_kind;

/* log-EPOCH-LOOP-SEGMENT, snap-GENERATION-LOOP: epoch, generation and segment
 * in 16 hexadecimal digits, the loop in 4. */
typedef struct ids_name {
    uint64_t epoch;  /* LOG */
    uint64_t number; /* LOG: segment; SNAPSHOT: generation */
    uint32_t loop;
} ids_name;

void ids_name_log(char to[IDS_DISK_NAME_BYTES], uint64_t epoch, uint32_t loop,
                  uint64_t segment);
void ids_name_snapshot(char to[IDS_DISK_NAME_BYTES], uint64_t generation,
                       uint32_t loop);
ids_name_kind ids_name_parse(const char *text, ids_name *name);

#endif
