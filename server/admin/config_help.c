/* SPDX-License-Identifier: Apache-2.0 */
/* config_help.c -- the settings as a person reads them: --help, and
 * --print-config. */
#include "server/admin/limits_maker.h"
#include "server/admin/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct sink {
    char *to;
    size_t cap;
    size_t len; /* wanted, which may be over cap */
} sink;

__attribute__((format(printf, 2, 3))) static void put(sink *s,
                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t at = s->len < s->cap ? s->len : s->cap;
    int wanted =
        vsnprintf(s->to ? s->to + at : NULL, s->cap - at, format, args);
    va_end(args);
    if (wanted > 0)
        s->len += (size_t)wanted;
}

/* Help --------------------------------------------------------------------- */

static void put_config_row(sink *s, const ids_config_row *row) {
    static const char *const reloads[] = {"restart", "live", "-"};
    char head[64];
    snprintf(head, sizeof head, "%s%s%s%s%s", row->alias ? row->alias : "",
             row->alias ? ", " : "", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    put(s, "  %-26s %-7s ", head, reloads[row->reload]);
    const char *preset = row->preset ? row->preset : row->preset_is;
    put(s, "%s%s%s%s\n", row->help, preset ? " (default: " : "",
        preset ? preset : "", preset ? ")" : "");
}

size_t ids_config_help(char *to, size_t cap) {
    sink s = {.to = to, .cap = cap};
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    put(&s, "usage: idemstored [FLAG ...]\n\n"
            "A store that is asked before what must happen once.\n\n"
            "Each flag is a key of the file, too: --max-memory is max_memory "
            "there, and\nIDEMSTORED_MAX_MEMORY in the environment. A reload "
            "applies what is live; -: only\na flag.\n\n");
    for (size_t i = 0; i < count; i++)
        put_config_row(&s, &rows[i]);
    return s.len;
}

/* --print-config ----------------------------------------------------------- */

static void put_config_origin(sink *s, const ids_settings *settings,
                              const ids_config_row *row) {
    const ids_setting_origin *from = &settings->origins[ids_config_index(row)];
    char name[IDS_CONFIG_KEY_BYTES];
    switch (from->layer) {
    case IDS_BY_FILE:
        put(s, "  # %s:%u\n", settings->config.path, from->line);
        return;
    case IDS_BY_ENVIRONMENT:
        ids_config_variable(row, name);
        put(s, "  # environment: %s\n", name);
        return;
    case IDS_BY_FLAG:
        put(s, "  # flag: %s\n", row->name);
        return;
    case IDS_BY_DEFAULT:
        put(s, "  # default%s%s\n", row->preset_is ? ": " : "",
            row->preset_is ? row->preset_is : "");
        return;
    }
}

/* In the quotes that it does not have itself. */
static void put_config_text(sink *s, const char *text) {
    char quote = strchr(text, '"') ? '\'' : '"';
    put(s, "%c%s%c", quote, text, quote);
}

static void put_config_list(sink *s, const ids_config_list *list) {
    put(s, "{");
    for (uint64_t i = 0; i < list->count; i++) {
        put(s, "%s", i ? ", " : "");
        put_config_text(s, list->all[i]);
    }
    put(s, "}");
}

static void put_setting(sink *s, const ids_settings *settings,
                        const ids_config_row *row) {
    const ids_setting_origin *from = &settings->origins[ids_config_index(row)];
    char key[IDS_CONFIG_KEY_BYTES];
    bool in_file =
        row->reload != IDS_ONCE && row->offset != offsetof(ids_config, path);
    if (row->offset == offsetof(ids_config, print) ||
        (!in_file && !from->words))
        return;
    ids_config_key(row, key);
    put(s, "%s%s =", in_file && from->words ? "" : "# ", key);
    if (from->words)
        put(s, " ");
    const char *field = (const char *)&settings->config + row->offset;
    if (row->kind == IDS_CONFIG_LIST && from->words)
        put_config_list(s, (const ids_config_list *)(const void *)field);
    else if (from->words)
        put_config_text(s, from->words);
    put_config_origin(s, settings, row);
}

/* Only a file has them. */
static void put_config_namespaces(sink *s, const ids_config *config) {
    char text[IDS_LIMITS_TEXT_BYTES];
    uint32_t count = ids_limits_count(config->namespaces);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t line = ids_limits_print(config->namespaces, i, text);
        put(s, "%s  # %s:%u\n", text, config->path, line);
    }
    if (count == 0)
        put(s, "# namespace \"NAME\" { }  # default: none has limits\n");
}

size_t ids_settings_print(const ids_settings *settings, char *to, size_t cap) {
    sink s = {.to = to, .cap = cap};
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    for (size_t i = 0; i < count; i++)
        put_setting(&s, settings, &rows[i]);
    put_config_namespaces(&s, &settings->config);
    return s.len;
}
