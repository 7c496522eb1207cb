/* SPDX-License-Identifier: Apache-2.0 */
/* config_value.c -- one value of the settings; see config_value.h. */
#include "server/admin/config_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_where(const ids_settings *settings, const ids_config_row *row,
                      const ids_setting_origin *from, char *to, size_t cap) {
    char key[IDS_CONFIG_KEY_BYTES];
    const char *path = settings->config.path;
    if (from->layer == IDS_BY_FILE) {
        ids_config_key(row, key);
        snprintf(to, cap, "%.400s:%u: %s", path ? path : "", from->line, key);
    } else if (from->layer == IDS_BY_ENVIRONMENT) {
        ids_config_variable(row, key);
        snprintf(to, cap, "%s", key);
    } else {
        snprintf(to, cap, "%s", row->name);
    }
}

void ids_settings_where(const ids_settings *settings, const ids_config_row *row,
                        char *to, size_t cap) {
    put_where(settings, row, &settings->origins[ids_config_index(row)], to,
              cap);
}

__attribute__((format(printf, 3, 0))) static bool
complain(ids_complaint *complaint, const char *where, const char *format,
         va_list args) {
    char *why = complaint->why;
    size_t cap = sizeof complaint->why;
    int at = snprintf(why, cap, "%s", where);
    if (at >= 0 && (size_t)at < cap)
        vsnprintf(why + at, cap - (size_t)at, format, args);
    return false;
}

bool ids_config_fail(const ids_config_reader *reader, const ids_config_row *row,
                     const char *format, ...) {
    char where[512];
    const ids_setting_origin here = {.layer = reader->layer,
                                     .line = reader->line};
    put_where(reader->settings, row, &here, where, sizeof where);
    reader->complaint->layer = reader->layer;
    va_list args;
    va_start(args, format);
    complain(reader->complaint, where, format, args);
    va_end(args);
    return false;
}

bool ids_settings_refuse(const ids_settings *settings, const char *flag,
                         ids_complaint *complaint, const char *format, ...) {
    char where[512];
    const ids_config_row *row = ids_config_find(flag, strlen(flag));
    ids_settings_where(settings, row, where, sizeof where);
    complaint->layer = settings->origins[ids_config_index(row)].layer;
    va_list args;
    va_start(args, format);
    complain(complaint, where, format, args);
    va_end(args);
    return false;
}

/* Kinds -------------------------------------------------------------------- */

static void *field_of(const ids_config_reader *reader,
                      const ids_config_row *row) {
    return (char *)&reader->settings->config + row->offset;
}

static unsigned suffix_shift(char suffix) {
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

static bool set_config_number(const ids_config_reader *reader,
                              const ids_config_row *row, const char *words) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(words, &end, 10);
    bool bytes = row->kind == IDS_CONFIG_BYTES;
    unsigned shift = bytes && *end ? suffix_shift(*end) : 0;
    if (shift)
        end++;
    if (words[0] < '0' || words[0] > '9' || *end)
        return ids_config_fail(reader, row, " %.80s: not a number%s", words,
                               bytes ? " of bytes (a suffix k, m or g is good)"
                                     : "");
    if (errno || number > UINT64_MAX >> shift || number << shift < row->min ||
        number << shift > row->max)
        return ids_config_fail(reader, row, " %.80s: must be %llu to %llu",
                               words, (unsigned long long)row->min,
                               (unsigned long long)row->max);
    *(uint64_t *)field_of(reader, row) = number << shift;
    return true;
}

static bool set_mode(const ids_config_reader *reader, const ids_config_row *row,
                     const char *words) {
    size_t digits = strspn(words, "01234567");
    unsigned long mode = strtoul(words, NULL, 8);
    if (!digits || words[digits] || digits > 4 || mode > row->max)
        return ids_config_fail(reader, row, " %.80s: must be octal, 0 to %04o",
                               words, (unsigned)row->max);
    *(uint64_t *)field_of(reader, row) = mode;
    return true;
}

static bool add_to_list(const ids_config_reader *reader,
                        const ids_config_row *row, const char *words) {
    ids_config_list *list = field_of(reader, row);
    const ids_setting_origin *had =
        &reader->settings->origins[ids_config_index(row)];
    if (had->layer != reader->layer)
        list->count = 0;
    if (list->count == IDS_LISTEN_MAX)
        return ids_config_fail(reader, row, " %.80s: at most %d of them", words,
                               IDS_LISTEN_MAX);
    if (!*words)
        return ids_config_fail(
            reader, row, ": %s is missing",
            strcmp(row->argument, "NAME") == 0 ? "a name" : "an address");
    list->all[list->count++] = words;
    return true;
}

static bool set_config_bool(const ids_config_reader *reader,
                            const ids_config_row *row, const char *words) {
    static const char *const names[][2] = {
        {"true", "false"}, {"yes", "no"}, {"on", "off"}, {"1", "0"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int no = 0; no < 2; no++) {
            if (strcmp(words, names[i][no]) != 0)
                continue;
            *(bool *)field_of(reader, row) = !no;
            return true;
        }
    }
    return ids_config_fail(reader, row, " %.80s: must be true or false", words);
}

/* The names that a kind has: where they stand is the enum's number. */
static bool parse_enum(ids_config_kind kind, const char *words, int *to) {
    static const char *const names[][5] = {
        [IDS_CONFIG_REPLICATION] = {"", "none", "async", "sync"},
        [IDS_CONFIG_TLS] = {"", "optional", "required"},
        [IDS_CONFIG_TLS_CLIENTS] = {"", "no", "optional", "required"},
        [IDS_CONFIG_TLS_MIN] = {"", "1.2", "1.3"},
        [IDS_CONFIG_TLS_PEERS] = {"", "off", "optional", "on"}};
    for (int i = 1; names[kind][i]; i++) {
        if (strcmp(words, names[kind][i]) == 0) {
            *to = i;
            return true;
        }
    }
    return false;
}

static bool set_config_word(const ids_config_reader *reader,
                            const ids_config_row *row, const char *words) {
    void *field = field_of(reader, row);
    bool good = row->kind == IDS_CONFIG_FSYNC ? ids_fsync_parse(words, field)
                : row->kind == IDS_CONFIG_LEVEL
                    ? ids_log_level_parse(words, field)
                : row->kind == IDS_CONFIG_LOG_FORMAT
                    ? ids_log_format_parse(words, field)
                    : parse_enum(row->kind, words, field);
    return good ? true
                : ids_config_fail(reader, row, " %.80s: must be %s", words,
                                  row->help);
}

static bool set_field(const ids_config_reader *reader,
                      const ids_config_row *row, const char *words) {
    switch (row->kind) {
    case IDS_CONFIG_FLAG:
        return set_config_bool(reader, row, words);
    case IDS_CONFIG_COUNT:
    case IDS_CONFIG_BYTES:
        return set_config_number(reader, row, words);
    case IDS_CONFIG_TEXT:
        *(const char **)field_of(reader, row) = words;
        return *words ? true
                      : ids_config_fail(reader, row, ": a path is missing");
    case IDS_CONFIG_MODE:
        return set_mode(reader, row, words);
    case IDS_CONFIG_LIST:
        return add_to_list(reader, row, words);
    case IDS_CONFIG_FSYNC:
    case IDS_CONFIG_REPLICATION:
    case IDS_CONFIG_TLS:
    case IDS_CONFIG_TLS_CLIENTS:
    case IDS_CONFIG_TLS_MIN:
    case IDS_CONFIG_TLS_PEERS:
    case IDS_CONFIG_LEVEL:
    case IDS_CONFIG_LOG_FORMAT:
        return set_config_word(reader, row, words);
    }
    return false;
}

bool ids_config_set(const ids_config_reader *reader, const ids_config_row *row,
                    const char *words) {
    if (!set_field(reader, row, words))
        return false;
    reader->settings->origins[ids_config_index(row)] = (ids_setting_origin){
        .layer = reader->layer, .line = reader->line, .words = words};
    return true;
}
