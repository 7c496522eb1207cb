/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h -- where spawned servers keep their files, for as long as they
 * live. */
#ifndef IDB_FOLDER_H
#define IDB_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDB_FOLDER_BYTES 1024

/* Makes a new folder in `in`; *to is its whole path, good for a server that
 * goes elsewhere. 0 or a text that says what failed. */
const char *idb_folder_make(const char *in, char *to, size_t cap);

/* Removes it and all that is in it. Nothing for "". */
void idb_folder_remove(const char *folder);

/* The bytes of the files in it whose names begin so. */
uint64_t idb_folder_bytes(const char *folder, const char *prefix);

/* Says what a folder lies on: "ext4 (/dev/vda) at /var/tmp". */
void idb_folder_disk(const char *folder, char *to, size_t cap);

/* Is that memory in truth, where a sync costs nothing? */
bool idb_folder_is_memory(const char *folder);

#endif
