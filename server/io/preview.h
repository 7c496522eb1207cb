/* SPDX-License-Identifier: Apache-2.0 */
/* preview.h -- what a reload does, or would do, in lines for the one who asked:
 * settings that change, those that wait for a restart, whose connections are
 * closed. Never a secret. */
#ifndef IDS_PREVIEW_H
#define IDS_PREVIEW_H

#include "proto/commands.h"

typedef struct ids_preview {
    uint64_t closed, admitted; /* connections: to be closed, of so many */
    size_t len;
    uint32_t left_out; /* lines that had no room */
    char text[IDP_RELOAD_TEXT_BYTES_MAX + 1];
} ids_preview;

void ids_preview_begin(ids_preview *preview);

/* One line, without its newline. */
void ids_preview_add(ids_preview *preview, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says what was left out. */
void ids_preview_end(ids_preview *preview);

#endif
