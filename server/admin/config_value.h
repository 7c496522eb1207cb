/* SPDX-License-Identifier: Apache-2.0 */
/* config_value.h -- one value, from its words into a version of the settings;
 * and what is said when it is bad. */
#ifndef IDS_CONFIG_VALUE_H
#define IDS_CONFIG_VALUE_H

#include "server/admin/settings.h"

/* Where values come from now. */
typedef struct ids_config_reader {
    ids_settings *settings;
    ids_layer layer;
    uint32_t line; /* of the file */
    ids_complaint *complaint;
} ids_config_reader;

/* Sets the row's field; words live as long as the settings. Of a list the
 * first value of a layer takes the place of what the layers below said. False:
 * the complaint says what is wrong. */
bool ids_config_set(const ids_config_reader *reader, const ids_config_row *row,
                    const char *words);

/* False; the complaint begins with where the value stands that is read. */
bool ids_config_fail(const ids_config_reader *reader, const ids_config_row *row,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Settings that are good one by one, and make no sense together. Fills in what
 * follows from others. */
bool ids_config_agrees(ids_settings *settings, ids_complaint *complaint);

#endif
