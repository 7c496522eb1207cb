/* SPDX-License-Identifier: Apache-2.0 */
/* story.h -- a folder with a little of everything in it, always the same: a
 * life that was closed, a snapshot, logs behind it, an end that came
 * suddenly. */
#ifndef IDT_STORY_H
#define IDT_STORY_H

#include "server/journal/data_dir.h"

/* Writes it into an empty folder. */
bool story_write(const ids_disk *disk, ids_fault *fault);

/* Reads the folder and says in text what each key is, one line each, in the
 * keys' order. */
bool story_read(const ids_disk *disk, char *text, size_t cap, ids_fault *fault);

/* What that has to say. */
extern const char story_told[];

#endif
