/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h -- one version of all settings: what flags, environment and file
 * say together, and where each value comes from.
 *
 * A flag wins over the environment, the environment over the file, the file
 * over the default: at the start and at each reload, since each makes a version
 * anew out of the same flags and environment. A version owns its texts (but
 * those of the command line and the environment, which stay) and never
 * changes. */
#ifndef IDS_SETTINGS_H
#define IDS_SETTINGS_H

#include "server/admin/config_file.h"

#define IDS_SETTINGS_WHY_BYTES 1024

typedef enum ids_layer {
    IDS_BY_DEFAULT,
    IDS_BY_FILE,
    IDS_BY_ENVIRONMENT,
    IDS_BY_FLAG
} ids_layer;

typedef struct ids_setting_origin {
    ids_layer layer;
    uint32_t line;     /* of the file */
    const char *words; /* the value, as it was given; NULL: none was */
} ids_setting_origin;

typedef struct ids_settings {
    ids_config config;
    ids_setting_origin origins[IDS_CONFIG_ROWS_MAX]; /* by the row's index */
    ids_config_file file;
    char
        *list_words[IDS_CONFIG_LISTS_MAX]; /* of the environment, taken apart */
    uint32_t list_words_count;
} ids_settings;

/* What each version is made of, besides the file. */
typedef struct ids_given {
    int argc;
    char *const *argv;
    char *const *environment; /* ends with NULL; NULL: none */
} ids_given;

/* What is wrong: a sentence that begins with where (a flag, a variable, or
 * FILE:LINE: KEY), and whose it is. */
typedef struct ids_complaint {
    ids_layer layer;
    char why[IDS_SETTINGS_WHY_BYTES];
} ids_complaint;

/* Reads the file that --config or IDEMSTORED_CONFIG names, if one does; blocks
 * for it. One thread at a time. NULL: complaint says what is wrong. */
ids_settings *ids_settings_load(const ids_given *given,
                                ids_complaint *complaint);

/* The same with the text of a file that was read. */
ids_settings *ids_settings_from_text(const ids_given *given, const char *path,
                                     const char *text, size_t len,
                                     ids_complaint *complaint);
void ids_settings_free(ids_settings *settings);

/* Where the row's value comes from, as a complaint about it begins:
 * "--threads", "IDEMSTORED_THREADS", "FILE:LINE: threads". */
void ids_settings_where(const ids_settings *settings, const ids_config_row *row,
                        char *to, size_t cap);

/* For what is found wrong later (a file that is named, an address): the
 * complaint begins with where the flag's value comes from. False. */
bool ids_settings_refuse(const ids_settings *settings, const char *flag,
                         ids_complaint *complaint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether both say the same of the row. */
bool ids_settings_same(const ids_settings *one, const ids_settings *other,
                       const ids_config_row *row);

/* The text of --print-config: each setting as a line of such a file, with where
 * it comes from. As much as fits; returns its whole length. */
size_t ids_settings_print(const ids_settings *settings, char *to, size_t cap);

/* Variables IDEMSTORED_... that set nothing, and look like one that does: calls
 * for each. */
void ids_settings_strays(const ids_given *given,
                         void (*stray)(const char *variable, const char *near));

#endif
