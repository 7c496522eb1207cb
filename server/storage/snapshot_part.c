/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_part.c -- see snapshot_part.h. */
#include "server/storage/snapshot_part.h"

#include "server/storage/fail.h"

#include <assert.h>

static bool do_task(ids_snapshot_part *part, ids_worker_log_task task) {
    switch (task) {
    case IDS_WORKER_LOG_CREATE:
        return ids_rounds_create_part(part->rounds, part->index, &part->file);
    case IDS_WORKER_LOG_WRITE:
        assert(part->walk->count > 0);
        return ids_snapshot_write(&part->file, part->walk->block.ptr,
                                  part->walk->block.len);
    case IDS_WORKER_LOG_FINISH:
        return ids_snapshot_finish(&part->file);
    case IDS_WORKER_LOG_INSTALL:
        ids_rounds_install(part->rounds, part->file.now_ms);
        return true;
    case IDS_WORKER_LOG_GIVE_UP:
        return false;
    case IDS_WORKER_LOG_IDLE:
        break;
    }
    return true;
}

bool ids_snapshot_part_do(ids_snapshot_part *part, ids_worker_log_task task) {
    bool good = do_task(part, task);
    if (part->file.fault.kind != IDS_FAULT_NONE)
        ids_storage_fail(&part->file.fault);
    if (!good)
        ids_snapshot_abandon(&part->file);
    return good;
}
