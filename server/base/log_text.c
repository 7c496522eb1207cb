/* SPDX-License-Identifier: Apache-2.0 */
/* log_text.c -- how a log line is written; see log_text.h. */
#include "server/base/log_text.h"

#include <stdio.h>
#include <string.h>

/* JSON's end, which always has room: "} */
#define JSON_END_BYTES 2
#define DIGITS_MAX     15 /* that every reader of JSON takes as they stand */

/* All of it, or nothing from here on. */
static void text_put_bytes(ids_log_text *text, const char *bytes, size_t len) {
    if (text->full || len > text->cap - text->len) {
        text->full = true;
        return;
    }
    memcpy(text->to + text->len, bytes, len);
    text->len += len;
}

static void put_words(ids_log_text *text, const char *words) {
    text_put_bytes(text, words, strlen(words));
}

/* One byte as it can be read; json: as it stands in a string of JSON. */
static void put_byte(ids_log_text *text, char byte, bool json) {
    char escaped[8] = {byte};
    size_t len = 1;
    unsigned char value = (unsigned char)byte;
    if (value < ' ' || value >= 0x7f)
        len = (size_t)snprintf(escaped, sizeof escaped,
                               json ? "\\\\x%02x" : "\\x%02x", value);
    else if (json && (byte == '"' || byte == '\\'))
        escaped[0] = '\\', escaped[1] = byte, len = 2;
    text_put_bytes(text, escaped, len);
}

static void put_clean(ids_log_text *text, const char *bytes, size_t len,
                      bool json) {
    for (size_t i = 0; i < len && !text->full; i++)
        put_byte(text, bytes[i], json);
}

void ids_log_put_logfmt(ids_log_text *text, const ids_log_head *head,
                        const char *fields) {
    put_words(text, "ts=");
    put_words(text, head->ts);
    put_words(text, " level=");
    put_words(text, head->level);
    put_words(text, " msg=\"");
    put_clean(text, head->msg, strlen(head->msg), false);
    put_words(text, *fields ? "\" " : "\"");
    put_clean(text, fields, strlen(fields), false);
}

/* JSON --------------------------------------------------------------------- */

/* A field of logfmt, and where the next one begins. */
typedef struct field {
    const char *key, *value, *next;
    size_t key_len, value_len;
    bool is_quoted;
} field;

static size_t key_bytes(const char *at) {
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                      "0123456789_.-");
}

/* Behind the quote that ends the value: the line ends, or a key follows. A
 * value may have quotes of its own. */
static bool ends_value(const char *quote) {
    const char *behind = quote + 1;
    size_t key = *behind == ' ' ? key_bytes(behind + 1) : 0;
    return *behind == 0 || (key > 0 && behind[1 + key] == '=');
}

/* False: no field begins here. */
static bool next_field(const char *at, field *f) {
    *f = (field){.key = at, .key_len = key_bytes(at)};
    if (!f->key_len || at[f->key_len] != '=')
        return false;
    f->value = at + f->key_len + 1;
    f->is_quoted = *f->value == '"';
    if (f->is_quoted) {
        const char *end = ++f->value;
        while (*end && !(*end == '"' && ends_value(end)))
            end++;
        f->value_len = (size_t)(end - f->value);
        f->next = *end ? end + 1 : end;
    } else {
        f->value_len = strcspn(f->value, " ");
        f->next = f->value + f->value_len;
    }
    f->next += strspn(f->next, " ");
    return true;
}

static bool is_number(const field *f) {
    size_t sign = f->value_len && *f->value == '-';
    size_t digits = f->value_len - sign;
    const char *first = f->value + sign;
    return !f->is_quoted && digits > 0 && digits <= DIGITS_MAX &&
           (*first != '0' || digits == 1) &&
           strspn(first, "0123456789") >= digits;
}

/* A value that has no room is cut, a key that has none is left out. */
static void put_field(ids_log_text *text, const field *f) {
    size_t before = text->len;
    bool number = is_number(f);
    put_words(text, ",\"");
    put_clean(text, f->key, f->key_len, true);
    put_words(text, number ? "\":" : "\":\"");
    if (number)
        text_put_bytes(text, f->value, f->value_len);
    if (text->full) {
        text->len = before;
        return;
    }
    if (number)
        return;
    put_clean(text, f->value, f->value_len, true);
    text->to[text->len] = '"'; /* of JSON_END_BYTES, if need be */
    text->full |= text->len + 1 > text->cap;
    text->len++;
}

void ids_log_put_json(ids_log_text *text, const ids_log_head *head,
                      const char *fields) {
    const field heads[] = {
        {.key = "ts", .key_len = 2, .value = head->ts, .is_quoted = true},
        {.key = "level", .key_len = 5, .value = head->level, .is_quoted = true},
        {.key = "msg", .key_len = 3, .value = head->msg, .is_quoted = true}};
    size_t begins = text->len;
    text->cap -= JSON_END_BYTES;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        field one = heads[i];
        one.value_len = strlen(one.value);
        put_field(text, &one);
    }
    text->to[begins] = '{'; /* where the first one's comma is */
    field f;
    for (const char *at = fields; *at && !text->full; at = f.next) {
        if (!next_field(at, &f))
            f = (field){.key = "text",
                        .key_len = 4,
                        .value = at,
                        .value_len = strlen(at),
                        .next = at + strlen(at),
                        .is_quoted = true};
        put_field(text, &f);
    }
    text->cap += JSON_END_BYTES;
    text->to[text->len++] = '}';
}
