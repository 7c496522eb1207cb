/* SPDX-License-Identifier: Apache-2.0 */
/* examine.h -- what settings name outside of themselves: files and addresses
 * are looked at, nothing is taken, made or changed. */
#ifndef IDS_EXAMINE_H
#define IDS_EXAMINE_H

#include "server/admin/settings.h"

/* Blocks: it may ask the resolver. False: the complaint says what is wrong. */
bool ids_examine(const ids_settings *settings, ids_complaint *complaint);

#endif
