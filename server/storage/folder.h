/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h -- whose folder it is, before anything in it is opened or made.
 *
 * A name that is mistyped must neither begin an empty store without a word nor
 * mix our files with somebody else's. */
#ifndef IDS_FOLDER_H
#define IDS_FOLDER_H

#include <stddef.h>
#include <sys/types.h>

typedef enum ids_folder {
    IDS_FOLDER_OURS,    /* a data folder, whole or not */
    IDS_FOLDER_EMPTY,   /* nothing of anybody's in it */
    IDS_FOLDER_NONE,    /* it isn't there */
    IDS_FOLDER_FOREIGN, /* not ours and not empty; why names a file in it */
    IDS_FOLDER_FAULT    /* it can't be read; why says so */
} ids_folder;

ids_folder ids_folder_look(const char *path, char *why, size_t why_cap);

/* The process that has the folder, 0: nobody has. -1: somebody who can't be
 * told. */
pid_t ids_folder_holder(const char *path);

#endif
