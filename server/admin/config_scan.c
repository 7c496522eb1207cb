/* SPDX-License-Identifier: Apache-2.0 */
/* config_scan.c -- the form of a settings file; see config_scan.h. */
#include "server/admin/config_scan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef enum token { END, WORD, QUOTED, EQUALS, OPEN, CLOSE, COMMA } token;

typedef struct scan {
    char *at, *line_end; /* of the line that is read */
    uint32_t line;
    uint32_t open_line; /* where the list began that is open; 0: none is */
    token last;         /* of this line */
    bool has_value;     /* this line's key has its value */
    const char *word;   /* the last one, if that is last */
    size_t word_len;
    const ids_config_scan_driver *driver;
    ids_config_fault *fault;
} scan;

bool ids_config_fault_at(ids_config_fault *fault, uint32_t line,
                         const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->what, sizeof fault->what, format, args);
    va_end(args);
    fault->line = line;
    return false;
}

#define FAIL(s, ...) ids_config_fault_at((s)->fault, (s)->line, __VA_ARGS__)

static bool is_scan_word_char(char c) {
    return isalnum((unsigned char)c) || (c != 0 && strchr("_.:/%@~[]-", c));
}

/* Shown in a sentence: a byte that can't be is its number. */
static bool fail_at_byte(const scan *s, char c) {
    if (c == '\r')
        return FAIL(s, "a carriage return: save the file with plain newlines");
    if (c == '(' || c == ')')
        return FAIL(s, "'%c': nothing is called or included here", c);
    if (isgraph((unsigned char)c))
        return FAIL(s, "'%c' belongs into a value in quotes: \"...\"", c);
    return FAIL(s, "a byte 0x%02x: is it a text file?", (unsigned char)c);
}

static bool scan_word(scan *s) {
    s->word = s->at;
    while (s->at < s->line_end && is_scan_word_char(*s->at))
        s->at++;
    s->word_len = (size_t)(s->at - s->word);
    if (s->word_len > 1)
        for (const char *c = s->word; c + 1 < s->at; c++)
            if (c[0] == '/' && c[1] == '/')
                return FAIL(s, "'//': a comment begins with #; a value with "
                               "it belongs into quotes: \"...\"");
    return s->at < s->line_end && (!*s->at || !strchr(" \t#={},", *s->at))
               ? fail_at_byte(s, *s->at)
               : true;
}

static bool scan_quoted(scan *s) {
    char quote = *s->at++;
    for (; s->at < s->line_end && *s->at != quote; s->at++) {
        if (*s->at == '\\')
            return FAIL(s, "'\\': there are no escapes in a value");
        if (s->at[0] == '$' && s->at[1] == '{')
            return FAIL(s, "'${': nothing of the environment is put in here; "
                           "a variable IDEMSTORED_... sets a key instead");
        if ((unsigned char)*s->at < ' ' || *s->at == 0x7f)
            return fail_at_byte(s, *s->at);
    }
    if (s->at == s->line_end)
        return FAIL(s, "the quote that begins here has no end in this line");
    s->at++;
    return true;
}

static token token_of(char c) {
    switch (c) {
    case '=':
        return EQUALS;
    case '{':
        return OPEN;
    case '}':
        return CLOSE;
    case ',':
        return COMMA;
    case '"':
    case '\'':
        return QUOTED;
    default:
        return WORD;
    }
}

/* At the '=': a key stands before it. */
static bool take_equals(const scan *s) {
    if (s->open_line)
        return FAIL(s, "'=' in a list: its '{' is in line %u, '}' is missing",
                    s->open_line);
    if (s->last == QUOTED)
        return FAIL(s, "a key stands without quotes: KEY = VALUE");
    if (s->last != WORD)
        return FAIL(s, "a key is missing: KEY = VALUE");
    return s->driver->take_key(s->driver->ctx, s->word, s->word_len, s->line,
                               s->fault);
}

static bool take_brace(scan *s, token what) {
    if (what == OPEN && s->open_line)
        return FAIL(s,
                    "'{' within a list; its '}' is missing: it begins in "
                    "line %u",
                    s->open_line);
    if (what == CLOSE && !s->open_line)
        return FAIL(s, "'}' without a '{'");
    if (what == OPEN && s->last != EQUALS)
        return FAIL(s, "'{' without a key: KEY = {\"one\", \"two\"}");
    s->open_line = what == OPEN ? s->line : 0;
    return true;
}

static bool scan_token(scan *s) {
    token what = token_of(*s->at);
    bool good = true;
    if (s->has_value && what != COMMA && what != CLOSE)
        return FAIL(s, "more than one value, or setting, in a line: text with "
                       "spaces belongs into quotes, a list into {...}");
    if (what == WORD)
        good =
            is_scan_word_char(*s->at) ? scan_word(s) : fail_at_byte(s, *s->at);
    else if (what == QUOTED)
        good = scan_quoted(s);
    else if (what == EQUALS)
        good = take_equals(s);
    else if (what == OPEN || what == CLOSE)
        good = take_brace(s, what);
    if (what != WORD && what != QUOTED)
        s->at++;
    s->has_value = !s->open_line && (s->last == EQUALS || what == CLOSE);
    s->last = what;
    return good;
}

static bool scan_line(scan *s) {
    token first = END;
    uint32_t tokens = 0;
    s->last = END;
    s->has_value = false;
    while (s->at < s->line_end && *s->at != '#') {
        if (*s->at == ' ' || *s->at == '\t') {
            s->at++;
            continue;
        }
        if (!scan_token(s))
            return false;
        first = tokens++ ? first : s->last;
    }
    for (; s->at < s->line_end; *s->at++ = ' ') /* a comment */
        if (*s->at == 0)
            return fail_at_byte(s, 0);
    if (s->last == EQUALS)
        return FAIL(s, "%.*s: the value is missing in this line",
                    (int)(s->word_len < 64 ? s->word_len : 64), s->word);
    if (tokens == 1 && first == WORD && !s->open_line)
        return FAIL(s, "%.*s: '=' and a value are missing",
                    (int)(s->word_len < 64 ? s->word_len : 64), s->word);
    return true;
}

bool ids_config_scan(char *text, size_t len,
                     const ids_config_scan_driver *driver,
                     ids_config_fault *fault) {
    const char *end = text + len;
    scan s = {.at = text, .line = 1, .driver = driver, .fault = fault};
    if (len > IDS_CONFIG_FILE_BYTES_MAX)
        return ids_config_fault_at(fault, 0, "longer than %u KiB",
                                   IDS_CONFIG_FILE_BYTES_MAX >> 10);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return FAIL(&s, "a byte order mark: save the file as plain UTF-8");
    for (; s.at < end; s.at = s.line_end + 1, s.line++) {
        s.line_end = memchr(s.at, '\n', (size_t)(end - s.at));
        if (!s.line_end)
            return FAIL(&s, "the file ends in the middle of this line: was it "
                            "cut? (else end it with a newline)");
        if (s.line_end - s.at > (ptrdiff_t)IDS_CONFIG_LINE_BYTES_MAX)
            return FAIL(&s, "a line of more than %u bytes",
                        IDS_CONFIG_LINE_BYTES_MAX);
        if (!scan_line(&s))
            return false;
    }
    if (s.open_line)
        return ids_config_fault_at(fault, s.open_line,
                                   "the list that begins here has no '}'");
    return true;
}
