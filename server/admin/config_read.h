/* SPDX-License-Identifier: Apache-2.0 */
/* config_read.h -- a settings file's bytes. */
#ifndef IDS_CONFIG_READ_H
#define IDS_CONFIG_READ_H

#include "server/admin/settings.h"

/* The whole file, at most IDS_CONFIG_FILE_BYTES_MAX and one byte; the caller
 * frees it. Blocks as long as the disk does, and no longer: what is no plain
 * file (a folder, a pipe) is refused, and so is one that everybody may write.
 * NULL: fault says what is wrong. */
char *ids_config_read(const char *path, size_t *len, ids_config_fault *fault);

/* "PATH: what" or "PATH:LINE: what". */
void ids_config_read_complain(const char *path, const ids_config_fault *fault,
                              ids_complaint *complaint);

#endif
