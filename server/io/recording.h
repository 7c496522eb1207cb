/* SPDX-License-Identifier: Apache-2.0 */
/* recording.h -- the audit log (base/audit.h) as the settings say it. */
#ifndef IDS_RECORDING_H
#define IDS_RECORDING_H

#include "server/admin/config.h"
#include "server/worker/worker.h"

/* At the start. False: it can't be opened, and the log says why. */
bool ids_recording_begin(const ids_config *config);

/* Every line says what this node is called; the first loop's worker, before it
 * runs. */
void ids_recording_name(ids_worker *first);

/* Other settings hold from now on. What can't be opened stays where it is. */
void ids_recording_take(const ids_config *now, const ids_config *next);

#endif
