/* SPDX-License-Identifier: Apache-2.0 */
/* config_file.c -- a settings file's text; see config_file.h. */
#include "server/admin/config_file.h"

#include "server/admin/near.h"

#include <assert.h>
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The scan ----------------------------------------------------------------- */

static bool no_such_key(const char *key, uint32_t line,
                        ids_config_fault *fault) {
    char flag[IDS_CONFIG_KEY_BYTES + 2], nearest[IDS_CONFIG_KEY_BYTES];
    snprintf(flag, sizeof flag, "--%s", key);
    for (char *c = flag + 2; *c; c++)
        *c = *c == '_' ? '-' : *c;
    const ids_config_row *near = ids_nearest_row(flag);
    if (!near)
        return ids_config_fault_at(fault, line,
                                   "%s: no such key (a key is a flag of --help "
                                   "with _ for -)",
                                   key);
    ids_config_key(near, nearest);
    return ids_config_fault_at(fault, line, "%s: no such key; did you mean %s?",
                               key, nearest);
}

static bool take_key(void *ctx, const char *key, size_t key_len, uint32_t line,
                     ids_config_fault *fault) {
    ids_config_file *file = ctx;
    char name[IDS_CONFIG_KEY_BYTES];
    snprintf(name, sizeof name, "%.*s",
             (int)(key_len < sizeof name ? key_len : sizeof name - 1), key);
    const ids_config_row *row = ids_config_find_key(name);
    if (!row || key_len >= sizeof name)
        return no_such_key(name, line, fault);
    if (row->reload == IDS_ONCE)
        return ids_config_fault_at(fault, line, "%s: only as a flag, %s", name,
                                   row->name);
    if (strcmp(name, "config") == 0)
        return ids_config_fault_at(fault, line,
                                   "config: a file names no other one");
    size_t at = ids_config_index(row);
    if (file->lines[at])
        return ids_config_fault_at(fault, line,
                                   "%s: a second time; the first is in line %u",
                                   name, file->lines[at]);
    file->lines[at] = line;
    return true;
}

/* libconfuse --------------------------------------------------------------- */

/* Where libconfuse says what is wrong: it has no argument of ours. */
static ids_config_fault *told;

static void take_error(cfg_t *cfg, const char *format, va_list args) {
    if (told->what[0])
        return; /* the first one is the reason */
    vsnprintf(told->what, sizeof told->what, format, args);
    told->line = cfg && cfg->line > 0 ? (uint32_t)cfg->line : 0;
}

/* A list where several may be given, a string else: what a value may be, the
 * row says later. */
static cfg_t *new_cfg(void) {
    char keys[IDS_CONFIG_ROWS_MAX][IDS_CONFIG_KEY_BYTES];
    cfg_opt_t options[IDS_CONFIG_ROWS_MAX + 1];
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    assert(count <= IDS_CONFIG_ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        ids_config_key(&rows[i], keys[i]);
        options[i] =
            rows[i].kind == IDS_CONFIG_LIST
                ? (cfg_opt_t)CFG_STR_LIST(keys[i], NULL, CFGF_NODEFAULT)
                : (cfg_opt_t)CFG_STR(keys[i], NULL, CFGF_NODEFAULT);
    }
    options[count] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(options, CFGF_NONE);
    if (cfg)
        cfg_set_error_function(cfg, take_error);
    return cfg;
}

static bool read_config_text(ids_config_file *file, const char *text,
                             ids_config_fault *fault) {
    file->cfg = new_cfg();
    if (!file->cfg)
        return ids_config_fault_at(fault, 0, "no memory to read it");
    *fault = (ids_config_fault){0};
    told = fault;
    bool good = !*text || cfg_parse_buf(file->cfg, text) == CFG_SUCCESS;
    told = NULL;
    if (good && !fault->what[0])
        return true;
    if (!fault->what[0])
        ids_config_fault_at(fault, 0, "it can't be read");
    ids_config_file_free(file);
    return false;
}

bool ids_config_file_parse(ids_config_file *file, const char *text, size_t len,
                           ids_config_fault *fault) {
    const ids_config_scan_driver driver = {.ctx = file, .take_key = take_key};
    *file = (ids_config_file){.cfg = NULL};
    char *own = malloc(len + 1);
    if (!own)
        return ids_config_fault_at(fault, 0, "no memory to read it");
    if (len)
        memcpy(own, text, len);
    own[len] = 0;
    bool good = ids_config_sections(own, len, &file->namespaces, fault) &&
                ids_config_scan(own, len, &driver, fault) &&
                read_config_text(file, own, fault);
    free(own);
    if (!good)
        ids_config_file_free(file);
    return good;
}

void ids_config_file_free(ids_config_file *file) {
    if (file->cfg)
        cfg_free(file->cfg);
    file->cfg = NULL;
    ids_limits_maker_free(file->namespaces);
    file->namespaces = NULL;
}

static cfg_opt_t *option_of(const ids_config_file *file, size_t row) {
    assert(file->cfg != NULL);
    return cfg_getnopt(file->cfg, (unsigned)row);
}

size_t ids_config_file_count(const ids_config_file *file, size_t row) {
    return file->lines[row] ? cfg_opt_size(option_of(file, row)) : 0;
}

const char *ids_config_file_value(const ids_config_file *file, size_t row,
                                  size_t at) {
    assert(at < ids_config_file_count(file, row));
    return cfg_opt_getnstr(option_of(file, row), (unsigned)at);
}
