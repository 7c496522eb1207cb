/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c -- the layers of one version of the settings; see settings.h. */
#include "server/admin/settings.h"

#include "server/admin/config_read.h"
#include "server/admin/config_value.h"
#include "server/admin/near.h"

#include "cmake/near.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Defaults ----------------------------------------------------------------- */

static void take_defaults(ids_config_reader *reader) {
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    reader->layer = IDS_BY_DEFAULT;
    for (size_t i = 0; i < count; i++) {
        bool good =
            !rows[i].preset || ids_config_set(reader, &rows[i], rows[i].preset);
        assert(good);
        (void)good;
    }
}

/* The file ----------------------------------------------------------------- */

static bool take_setting_row(ids_config_reader *reader,
                             const ids_config_row *row, size_t at) {
    const ids_config_file *file = &reader->settings->file;
    size_t count = ids_config_file_count(file, at);
    reader->line = file->lines[at];
    if (file->lines[at] && !count)
        return ids_config_fail(reader, row, ": the list is empty");
    for (size_t i = 0; i < count; i++)
        if (!ids_config_set(reader, row, ids_config_file_value(file, at, i)))
            return false;
    return true;
}

static bool take_file(ids_config_reader *reader, const char *path,
                      const char *text, size_t len) {
    ids_config_fault fault = {0};
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    reader->layer = IDS_BY_FILE;
    if (!ids_config_file_parse(&reader->settings->file, text, len, &fault)) {
        ids_config_read_complain(path, &fault, reader->complaint);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!take_setting_row(reader, &rows[i], i))
            return false;
    reader->line = 0;
    reader->settings->config.namespaces = reader->settings->file.namespaces;
    return true;
}

/* The environment ---------------------------------------------------------- */

/* The value of NAME in "NAME=value" entries; NULL: not there, or empty, which
 * is how a variable is taken back. */
static const char *find_variable(const ids_given *given, const char *name) {
    size_t len = strlen(name);
    for (char *const *one = given->environment; one && *one; one++)
        if (strncmp(*one, name, len) == 0 && (*one)[len] == '=')
            return (*one)[len + 1] ? *one + len + 1 : NULL;
    return NULL;
}

/* Addresses are divided by spaces or commas. */
static bool take_list(ids_config_reader *reader, const ids_config_row *row,
                      const char *words) {
    ids_settings *settings = reader->settings;
    char *own = strdup(words), *rest = NULL;
    if (!own)
        return ids_config_fail(reader, row, ": no memory");
    assert(settings->list_words_count < IDS_CONFIG_LISTS_MAX);
    settings->list_words[settings->list_words_count++] = own;
    for (char *one = strtok_r(own, " ,\t\n", &rest); one;
         one = strtok_r(NULL, " ,\t\n", &rest))
        if (!ids_config_set(reader, row, one))
            return false;
    return true;
}

static bool take_environment(ids_config_reader *reader,
                             const ids_given *given) {
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    reader->layer = IDS_BY_ENVIRONMENT;
    for (size_t i = 0; i < count; i++) {
        char name[IDS_CONFIG_KEY_BYTES];
        ids_config_variable(&rows[i], name);
        const char *words =
            rows[i].reload == IDS_ONCE ? NULL : find_variable(given, name);
        if (words && !(rows[i].kind == IDS_CONFIG_LIST
                           ? take_list(reader, &rows[i], words)
                           : ids_config_set(reader, &rows[i], words)))
            return false;
    }
    return true;
}

static void look_at_variable(const char *entry,
                             void (*stray)(const char *variable,
                                           const char *near)) {
    size_t count, prefix = strlen(IDS_CONFIG_VARIABLES);
    const ids_config_row *rows = ids_config_rows(&count), *near = NULL;
    char name[IDS_CONFIG_KEY_BYTES], own[IDS_CONFIG_KEY_BYTES];
    size_t len = strcspn(entry, "="), best = SIZE_MAX;
    if (strncmp(entry, IDS_CONFIG_VARIABLES, prefix) != 0 || len >= sizeof name)
        return;
    snprintf(name, sizeof name, "%.*s", (int)len, entry);
    for (size_t i = 0; i < count; i++) {
        ids_config_variable(&rows[i], own);
        if (strcmp(own, name) == 0 && rows[i].reload != IDS_ONCE)
            return;
        size_t far = idem_near(name + prefix, own + prefix);
        if (far < best && rows[i].reload != IDS_ONCE)
            near = &rows[i], best = far;
    }
    if (!near)
        return;
    ids_config_variable(near, own);
    stray(name, own);
}

void ids_settings_strays(const ids_given *given,
                         void (*stray)(const char *variable,
                                       const char *near)) {
    for (char *const *one = given->environment; one && *one; one++)
        look_at_variable(*one, stray);
}

/* Flags -------------------------------------------------------------------- */

static bool refuse_words(const ids_config_reader *reader, const char *format,
                         const char *words, const char *near) {
    reader->complaint->layer = IDS_BY_FLAG;
    snprintf(reader->complaint->why, sizeof reader->complaint->why, format,
             words, near);
    return false;
}

static bool no_such_flag(const ids_config_reader *reader, const char *flag,
                         size_t len) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), flag);
    const ids_config_row *near = ids_nearest_row(name);
    return near ? refuse_words(reader, "%s: no such flag; did you mean %s?",
                               name, near->name)
                : refuse_words(reader, "%s: no such flag (%s lists them)", name,
                               "--help");
}

/* One flag at argv[*at]; moves *at behind it and its argument. */
static bool take_flag(const ids_config_reader *reader, const ids_given *given,
                      int *at) {
    const char *flag = given->argv[(*at)++];
    const char *equals = strchr(flag, '=');
    size_t len = equals ? (size_t)(equals - flag) : strlen(flag);
    const ids_config_row *row = ids_config_find(flag, len);
    if (!row)
        return no_such_flag(reader, flag, len);
    if (equals && !row->argument && row->reload == IDS_ONCE)
        return ids_config_fail(reader, row, ": takes no argument");
    if (equals)
        return ids_config_set(reader, row, equals + 1);
    if (!row->argument)
        return ids_config_set(reader, row, "true");
    if (*at == given->argc)
        return ids_config_fail(reader, row, ": %s is missing", row->argument);
    return ids_config_set(reader, row, given->argv[(*at)++]);
}

static bool take_flags(ids_config_reader *reader, const ids_given *given) {
    reader->layer = IDS_BY_FLAG;
    for (int at = 1; at < given->argc;)
        if (!take_flag(reader, given, &at))
            return false;
    return true;
}

/* All of them -------------------------------------------------------------- */

ids_settings *ids_settings_from_text(const ids_given *given, const char *path,
                                     const char *text, size_t len,
                                     ids_complaint *complaint) {
    ids_settings *s = calloc(1, sizeof *s);
    ids_config_reader reader = {.settings = s, .complaint = complaint};
    *complaint = (ids_complaint){.layer = IDS_BY_DEFAULT};
    if (!s) {
        snprintf(complaint->why, sizeof complaint->why, "no memory");
        return NULL;
    }
    s->config.path = path;
    take_defaults(&reader);
    if ((!path || take_file(&reader, path, text, len)) &&
        take_environment(&reader, given) && take_flags(&reader, given) &&
        ids_config_agrees(s, complaint))
        return s;
    ids_settings_free(s);
    return NULL;
}

/* The path has to be known before the file: flags and environment are taken
 * once without it. What is wrong with them together may be the file's to
 * mend. */
static bool find_path(const ids_given *given, const char **path,
                      ids_complaint *complaint) {
    ids_settings *s = calloc(1, sizeof *s);
    ids_config_reader reader = {.settings = s, .complaint = complaint};
    *complaint = (ids_complaint){.layer = IDS_BY_DEFAULT};
    bool good =
        s && take_environment(&reader, given) && take_flags(&reader, given);
    *path = good ? s->config.path : NULL;
    if (!s)
        snprintf(complaint->why, sizeof complaint->why, "no memory");
    ids_settings_free(s);
    return good;
}

ids_settings *ids_settings_load(const ids_given *given,
                                ids_complaint *complaint) {
    const char *path;
    ids_config_fault fault = {0};
    size_t len = 0;
    if (!find_path(given, &path, complaint))
        return NULL;
    if (!path)
        return ids_settings_from_text(given, NULL, NULL, 0, complaint);
    char *text = ids_config_read(path, &len, &fault);
    if (!text) {
        ids_config_read_complain(path, &fault, complaint);
        return NULL;
    }
    ids_settings *s = ids_settings_from_text(given, path, text, len, complaint);
    free(text);
    return s;
}

static bool same_text(const char *one, const char *other) {
    return one == other || (one && other && strcmp(one, other) == 0);
}

static bool same_list(const ids_config_list *one,
                      const ids_config_list *other) {
    if (one->count != other->count)
        return false;
    for (uint64_t i = 0; i < one->count; i++)
        if (strcmp(one->all[i], other->all[i]) != 0)
            return false;
    return true;
}

/* Fields other than texts were all read from words: "1m" is 1024k. */
bool ids_settings_same(const ids_settings *one, const ids_settings *other,
                       const ids_config_row *row) {
    const char *a = (const char *)&one->config + row->offset;
    const char *b = (const char *)&other->config + row->offset;
    switch (row->kind) {
    case IDS_CONFIG_TEXT:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case IDS_CONFIG_LIST:
        return same_list((const ids_config_list *)(const void *)a,
                         (const ids_config_list *)(const void *)b);
    case IDS_CONFIG_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case IDS_CONFIG_COUNT:
    case IDS_CONFIG_BYTES:
    case IDS_CONFIG_MODE:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case IDS_CONFIG_FSYNC:
    case IDS_CONFIG_REPLICATION:
    case IDS_CONFIG_TLS:
    case IDS_CONFIG_TLS_CLIENTS:
    case IDS_CONFIG_TLS_MIN:
    case IDS_CONFIG_TLS_PEERS:
    case IDS_CONFIG_LEVEL:
    case IDS_CONFIG_LOG_FORMAT:
        return memcmp(a, b, sizeof(int)) == 0;
    }
    return false;
}

void ids_settings_free(ids_settings *settings) {
    if (!settings)
        return;
    ids_config_file_free(&settings->file);
    for (uint32_t i = 0; i < settings->list_words_count; i++)
        free(settings->list_words[i]);
    free(settings);
}
