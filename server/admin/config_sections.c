/* SPDX-License-Identifier: Apache-2.0 */
/* config_sections.c -- see config_sections.h. */
#include "server/admin/config_sections.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORD_BYTES 256

typedef struct reading {
    char *at, *end;
    uint32_t line;
    ids_limits_maker *limits;
    ids_config_fault *fault;
    char word[WORD_BYTES];
} reading;

#define FAIL(r, ...) ids_config_fault_at((r)->fault, (r)->line, __VA_ARGS__)

static bool is_section_word_char(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* One byte is read, and nobody reads it again. */
static char take_char(reading *r) {
    char c = *r->at;
    if (c == '\n')
        r->line++;
    else
        *r->at = ' ';
    r->at++;
    return c;
}

static void skip_blanks(reading *r) {
    bool in_comment = false;
    while (r->at < r->end && (in_comment || *r->at == '#' || *r->at == ' ' ||
                              *r->at == '\t' || *r->at == '\n')) {
        in_comment = (in_comment || *r->at == '#') && *r->at != '\n';
        take_char(r);
    }
}

static bool take_mark(reading *r, char mark) {
    skip_blanks(r);
    if (r->at == r->end || *r->at != mark)
        return false;
    take_char(r);
    return true;
}

/* A word, or what stands in quotes. */
static bool take_section_word(reading *r, const char *what) {
    size_t len = 0;
    skip_blanks(r);
    bool quoted = take_mark(r, '"');
    while (r->at < r->end && *r->at != '\n' && len + 1 < sizeof r->word &&
           (quoted ? *r->at != '"' : is_section_word_char(*r->at)))
        r->word[len++] = take_char(r);
    r->word[len] = 0;
    if (quoted && (r->at == r->end || *r->at != '"'))
        return FAIL(r, "the quote of %s has no end in this line", what);
    if (quoted)
        take_char(r);
    if (memchr(r->word, 0, len))
        return FAIL(r, "a byte 0x00: is it a text file?");
    return quoted || len > 0 ||
           FAIL(r, "%s is missing: namespace \"NAME\" { KEY = VALUE }", what);
}

static bool take_setting(reading *r) {
    char key[WORD_BYTES];
    if (!take_section_word(r, "a key"))
        return false;
    memcpy(key, r->word, sizeof key);
    if (!take_mark(r, '='))
        return FAIL(r, "%.64s: '=' and a value are missing", key);
    uint32_t line = r->line;
    if (!take_section_word(r, "a value"))
        return false;
    char why[IDS_CONFIG_WHAT_BYTES];
    return ids_limits_row(r->limits, key, r->word, why, sizeof why) ||
           ids_config_fault_at(r->fault, line, "%s", why);
}

static bool take_section(reading *r) {
    char why[IDS_CONFIG_WHAT_BYTES];
    uint32_t begins = r->line;
    if (!r->limits)
        r->limits = ids_limits_maker_new();
    if (!r->limits)
        return FAIL(r, "no memory to read it");
    if (!take_section_word(r, "the name"))
        return false;
    if (!ids_limits_section(r->limits, r->word, begins, why, sizeof why))
        return FAIL(r, "%s", why);
    if (!take_mark(r, '{'))
        return FAIL(r, "'{' is missing: namespace \"NAME\" { KEY = VALUE }");
    while (!take_mark(r, '}')) {
        if (r->at == r->end)
            return ids_config_fault_at(r->fault, begins,
                                       "the section that begins here has no "
                                       "'}'");
        if (!take_setting(r))
            return false;
    }
    return ids_limits_section_ends(r->limits, why, sizeof why) ||
           ids_config_fault_at(r->fault, begins, "%s", why);
}

/* The line's first word is "namespace", and no key. */
static bool begins_section(const reading *r) {
    static const char word[] = "namespace";
    size_t len = sizeof word - 1;
    const char *c = r->at + len;
    if ((size_t)(r->end - r->at) <= len || memcmp(r->at, word, len) != 0)
        return false;
    while (c < r->end && (*c == ' ' || *c == '\t'))
        c++;
    return c < r->end && (*c == '"' || *c == '{');
}

bool ids_config_sections(char *text, size_t len, ids_limits_maker **limits,
                         ids_config_fault *fault) {
    reading r = {.at = text, .end = text + len, .line = 1, .fault = fault};
    bool good = true, at_begin = true;
    while (good && r.at < r.end) {
        if (at_begin && begins_section(&r)) {
            r.at += strlen("namespace");
            memset(r.at - strlen("namespace"), ' ', strlen("namespace"));
            good = take_section(&r);
            continue;
        }
        at_begin = *r.at == '\n' || (at_begin && isblank((unsigned char)*r.at));
        r.line += *r.at++ == '\n';
    }
    *limits = good ? r.limits : NULL;
    if (*limits)
        ids_limits_end(*limits);
    if (!good)
        ids_limits_maker_free(r.limits);
    return good;
}
