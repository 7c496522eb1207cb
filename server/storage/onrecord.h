/* SPDX-License-Identifier: Apache-2.0 */
/* onrecord.h -- the flags of this start against what the last one left on
 * record in the file of decisions. */
#ifndef IDS_ONRECORD_H
#define IDS_ONRECORD_H

#include "server/admin/config.h"
#include "server/storage/decisions.h"
#include "server/worker/server.h"

#define IDS_ONRECORD_PATH_BYTES (IDS_DECISIONS_PATH_BYTES + 64)

/* Where the record is. listening: where clients come, as bound. */
void ids_onrecord_path(const ids_config *config, const char *listening,
                       char path[static IDS_ONRECORD_PATH_BYTES]);

/* A start with a peer. False: a flag does not fit what is recorded; the log
 * says which, and what to do. */
bool ids_onrecord_fits(const ids_config *config, const ids_decision *recorded,
                       const char *path);

/* A start without a peer: false, if the record of decisions says that this node
 * is one of two; the log says so, and which flag. With --accept-change that
 * record is put aside, and the epoch is above it. */
bool ids_onrecord_may_be_alone(const ids_config *config, ids_server *server,
                               const char *listening);

#endif
