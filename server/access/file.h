/* SPDX-License-Identifier: Apache-2.0 */
/* file.h -- the files of credentials and secrets, as they lie on the disk.
 *
 * The one file of this folder that asks the system for more than a lock. */
#ifndef IDS_ACCESS_FILE_H
#define IDS_ACCESS_FILE_H

#include "server/access/credentials.h"

/* Reads --credentials FILE. Refused: a file that others may read or write or
 * its group may write, one that is larger than its bound, and what
 * ids_credentials_parse refuses. NULL: why is "FILE:LINE: ..." or "FILE: ...".
 * Blocks for a read of the disk. */
ids_credentials *ids_credentials_load(const char *path, char *why,
                                      size_t why_cap);

#endif
