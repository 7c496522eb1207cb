/* SPDX-License-Identifier: Apache-2.0 */
/* config_file.h -- a settings file, from its text to what it says of each row
 * of the table of flags (config.h). No file is opened here.
 *
 * The text is read by libconfuse, behind a scan of our own (config_scan.h).
 * libconfuse's lexer has global state: one thread at a time. */
#ifndef IDS_CONFIG_FILE_H
#define IDS_CONFIG_FILE_H

#include "server/admin/config.h"
#include "server/admin/config_scan.h"
#include "server/admin/config_sections.h"

struct cfg_t;

typedef struct ids_config_file {
    struct cfg_t *cfg;
    uint32_t lines[IDS_CONFIG_ROWS_MAX]; /* where the row's key stands; 0: not
                                            in the file */
    ids_limits_maker *namespaces; /* its sections; NULL: there are none */
} ids_config_file;

/* Any bytes. False: fault says where, and what; there is nothing to free. */
bool ids_config_file_parse(ids_config_file *file, const char *text, size_t len,
                           ids_config_fault *fault);
void ids_config_file_free(ids_config_file *file);

/* What the file says of the row with this index: so many values, one after the
 * other; they live as long as the file. */
size_t ids_config_file_count(const ids_config_file *file, size_t row);
const char *ids_config_file_value(const ids_config_file *file, size_t row,
                                  size_t at);

#endif
