/* SPDX-License-Identifier: Apache-2.0 */
/* restore.h -- reading a folder back with all cores. */
#ifndef IDS_RESTORE_H
#define IDS_RESTORE_H

#include "server/journal/data_dir.h"
#include "server/worker/worker.h"

/* unit is told of each unit, one at a time. */
typedef struct ids_restore_report {
    void *ctx;
    void (*unit)(void *ctx, const ids_unit *unit, const ids_fault *fault);
    const ids_loader *loader; /* of a check: takes what is read; or NULL */
} ids_restore_report;

/* Reads all phases, into the workers' shards, by as many threads; workers NULL:
 * only checks, and server may be NULL. Returns when all is read. False: fault
 * says what is wrong with the first bad unit. */
bool ids_restore(ids_data_dir *dir, const ids_server *server,
                 ids_worker **workers, uint32_t threads,
                 const ids_restore_report *report, ids_fault *fault);

#endif
