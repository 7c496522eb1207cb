/* SPDX-License-Identifier: Apache-2.0 */
/* notation.c -- see notation.h. */
#include "tests/conformance/notation.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names of tokens --------------------------------------------------- */

static size_t name_len(const char *text) {
    size_t len = 0;
    while (isalnum((unsigned char)text[len])) {
        len++;
    }
    return len;
}

static int var_find(const story_vars *vars, const char *name, size_t len) {
    for (int i = 0; i < vars->count; i++) {
        if (strlen(vars->at[i].name) == len &&
            memcmp(vars->at[i].name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

/* The token as one large number, plus or minus one. */
static void token_step(uint8_t token[STORY_TOKEN_BYTES], bool up) {
    uint8_t over = up ? 0x00 : 0xff;
    for (int i = STORY_TOKEN_BYTES - 1; i >= 0; i--) {
        token[i] = (uint8_t)(up ? token[i] + 1 : token[i] - 1);
        if (token[i] != over) {
            return;
        }
    }
}

bool story_var_read(const story_vars *vars, const char **text,
                    uint8_t token[STORY_TOKEN_BYTES]) {
    size_t len = name_len(*text);
    int at = var_find(vars, *text, len);
    if (at < 0) {
        return false;
    }
    memcpy(token, vars->at[at].token, STORY_TOKEN_BYTES);
    *text += len;
    if ((**text == '+' || **text == '-') && (*text)[1] == '1') {
        token_step(token, **text == '+');
        *text += 2;
    }
    return true;
}

bool story_var_bind(story_vars *vars, const char *name, size_t len,
                    const uint8_t token[STORY_TOKEN_BYTES]) {
    int at = var_find(vars, name, len);
    if (at >= 0) {
        return memcmp(vars->at[at].token, token, STORY_TOKEN_BYTES) == 0;
    }
    assert(vars->count < STORY_VARS_MAX && len < STORY_NAME_MAX);
    memcpy(vars->at[vars->count].name, name, len);
    vars->at[vars->count].name[len] = 0;
    memcpy(vars->at[vars->count].token, token, STORY_TOKEN_BYTES);
    vars->count++;
    return true;
}

/* --- reading the text -------------------------------------------------- */

static void skip_space(const char **text) {
    while (**text == ' ') {
        (*text)++;
    }
}

static bool take(const char **text, const char *what) {
    skip_space(text);
    size_t len = strlen(what);
    if (strncmp(*text, what, len) != 0) {
        return false;
    }
    *text += len;
    return true;
}

static void add_hex(const char *from, const char *end, idt_buf *out) {
    for (; from + 1 < end; from += 2) {
        char pair[3] = {from[0], from[1], 0};
        idt_buf_add_byte(out, (uint8_t)strtoul(pair, NULL, 16));
    }
}

/* "text", b"text" or h"00ff", each perhaps *N. False when none stands here.
 * binary says which of the two kinds it is. */
static bool take_string(const char **text, idt_buf *out, bool *binary) {
    skip_space(text);
    const char *at = *text;
    char prefix = *at == 'b' || *at == 'h' ? *at++ : 0;
    if (*at != '"') {
        return false;
    }
    const char *from = at + 1;
    const char *end = strchr(from, '"');
    if (!end) {
        return false;
    }
    size_t times = 1;
    *text = end + 1;
    if (**text == '*') {
        times = strtoul(*text + 1, (char **)text, 10);
    }
    for (size_t i = 0; i < times; i++) {
        if (prefix == 'h') {
            add_hex(from, end, out);
        } else {
            idt_buf_add(out, from, (size_t)(end - from));
        }
    }
    *binary = prefix != 0;
    return true;
}

/* --- packing ----------------------------------------------------------- */

static bool pack_array(const char **text, const story_vars *vars,
                       idt_buf *out) {
    idt_buf inner = {0};
    uint32_t count = 0;
    bool good = true;
    while (good && !take(text, "]")) {
        good = (count == 0 || take(text, ",")) &&
               story_notation_pack(text, vars, &inner);
        count++;
    }
    idt_pack_array(out, count);
    idt_buf_add(out, inner.at, inner.len);
    idt_buf_free(&inner);
    return good;
}

static bool pack_map(const char **text, const story_vars *vars, idt_buf *out) {
    idt_buf inner = {0};
    uint32_t count = 0;
    bool good = true;
    while (good && !take(text, "}")) {
        good = (count == 0 || take(text, ",")) &&
               story_notation_pack(text, vars, &inner) && take(text, ":") &&
               story_notation_pack(text, vars, &inner);
        count++;
    }
    idt_pack_map(out, count);
    idt_buf_add(out, inner.at, inner.len);
    idt_buf_free(&inner);
    return good;
}

static bool pack_number(const char **text, idt_buf *out) {
    skip_space(text);
    char *end;
    if (**text == '-') {
        idt_pack_int(out, strtoll(*text, &end, 10));
    } else {
        idt_pack_uint(out, strtoull(*text, &end, 10));
    }
    bool any = end != *text;
    *text = end;
    return any;
}

static bool pack_word(const char **text, idt_buf *out) {
    if (take(text, "nil")) {
        idt_pack_nil(out);
    } else if (take(text, "true")) {
        idt_pack_bool(out, true);
    } else if (take(text, "false")) {
        idt_pack_bool(out, false);
    } else if (take(text, "f64(")) {
        idt_pack_double(out, strtod(*text, (char **)text));
        return take(text, ")");
    } else if (take(text, "u64(")) {
        idt_pack_uint64(out, strtoull(*text, (char **)text, 10));
        return take(text, ")");
    } else {
        return pack_number(text, out);
    }
    return true;
}

bool story_notation_pack(const char **text, const story_vars *vars,
                         idt_buf *out) {
    idt_buf string = {0};
    bool binary = false;
    if (take_string(text, &string, &binary)) {
        (binary ? idt_pack_bin : idt_pack_str)(out, string.at, string.len);
        idt_buf_free(&string);
        return true;
    }
    if (take(text, "[")) {
        return pack_array(text, vars, out);
    }
    if (take(text, "{")) {
        return pack_map(text, vars, out);
    }
    if (take(text, "$")) {
        uint8_t token[STORY_TOKEN_BYTES];
        if (!story_var_read(vars, text, token)) {
            return false;
        }
        idt_pack_bin(out, token, sizeof token);
        return true;
    }
    return pack_word(text, out);
}

/* --- matching ---------------------------------------------------------- */

static bool match_elements(const char **text, story_vars *vars,
                           idt_cursor *bytes, uint64_t count, bool map) {
    const char *close = map ? "}" : "]";
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0 && !take(text, ",")) {
            return false;
        }
        if (take(text, "...")) {
            for (uint64_t left = (count - i) * (map ? 2 : 1); left > 0;
                 left--) {
                if (!idt_skip(bytes)) {
                    return false;
                }
            }
            return take(text, close);
        }
        if (!story_notation_match(text, vars, bytes)) {
            return false;
        }
        if (map &&
            !(take(text, ":") && story_notation_match(text, vars, bytes))) {
            return false;
        }
    }
    if (count > 0 && take(text, ",")) {
        return take(text, "...") && take(text, close);
    }
    return take(text, close);
}

static bool match_var(const char **text, story_vars *vars, idt_cursor *bytes) {
    idt_item item;
    if (!idt_unpack(bytes, &item) || item.kind != IDT_BIN ||
        item.len != STORY_TOKEN_BYTES) {
        return false;
    }
    size_t len = name_len(*text);
    bool same = story_var_bind(vars, *text, len, item.bytes);
    *text += len;
    return same;
}

/* What is no array, map or name has one shortest form: the same bytes. */
static bool match_exactly(const char **text, const story_vars *vars,
                          idt_cursor *bytes) {
    idt_buf want = {0};
    bool same = story_notation_pack(text, vars, &want) &&
                (size_t)(bytes->end - bytes->at) >= want.len &&
                memcmp(bytes->at, want.at, want.len) == 0;
    if (same) {
        bytes->at += want.len;
    }
    idt_buf_free(&want);
    return same;
}

bool story_notation_match(const char **text, story_vars *vars,
                          idt_cursor *bytes) {
    if (take(text, "_")) {
        return idt_skip(bytes);
    }
    if (take(text, "$")) {
        return match_var(text, vars, bytes);
    }
    bool array = take(text, "[");
    if (array || take(text, "{")) {
        idt_item item;
        return idt_unpack(bytes, &item) &&
               item.kind == (array ? IDT_ARRAY : IDT_MAP) &&
               match_elements(text, vars, bytes, item.count, !array);
    }
    return match_exactly(text, vars, bytes);
}

/* --- showing ----------------------------------------------------------- */

typedef struct shown {
    char *to;
    size_t cap;
    size_t len;
} shown;

__attribute__((format(printf, 2, 3))) static void say(shown *s,
                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->to + s->len, s->cap - s->len, format, args);
    va_end(args);
    s->len += (size_t)n;
    s->len = s->len < s->cap ? s->len : s->cap - 1;
}

static void say_bytes(shown *s, const idt_item *item) {
    bool text = item->kind == IDT_STR;
    size_t len = item->len < 40 ? item->len : 40;
    say(s, text ? "\"" : "h\"");
    for (size_t i = 0; i < len; i++) {
        bool plain = text && isprint(item->bytes[i]);
        say(s, plain ? "%c" : "%02x", item->bytes[i]);
    }
    say(s, len < item->len ? "...%zu bytes\"" : "\"", item->len);
}

static void show(shown *s, idt_cursor *bytes, int depth);

static void show_elements(shown *s, idt_cursor *bytes, const idt_item *item,
                          int depth) {
    bool map = item->kind == IDT_MAP;
    say(s, map ? "{" : "[");
    for (uint64_t i = 0; i < item->count && bytes->at < bytes->end; i++) {
        say(s, i ? ", " : "");
        show(s, bytes, depth + 1);
        if (map) {
            say(s, ": ");
            show(s, bytes, depth + 1);
        }
    }
    say(s, map ? "}" : "]");
}

static void show(shown *s, idt_cursor *bytes, int depth) {
    idt_item item;
    if (depth > 16 || !idt_unpack(bytes, &item)) {
        say(s, "(cut off)");
        bytes->at = bytes->end;
        return;
    }
    switch (item.kind) {
    case IDT_NIL:
        say(s, "nil");
        break;
    case IDT_BOOL:
        say(s, item.number ? "true" : "false");
        break;
    case IDT_UINT:
        say(s, "%llu", (unsigned long long)item.number);
        break;
    case IDT_INT:
        say(s, "%lld", (long long)item.number);
        break;
    case IDT_STR:
    case IDT_BIN:
        say_bytes(s, &item);
        break;
    case IDT_ARRAY:
    case IDT_MAP:
        show_elements(s, bytes, &item, depth);
        break;
    default:
        say(s, "(something else)");
    }
}

void story_notation_show(idt_cursor *bytes, char *to, size_t cap) {
    shown s = {to, cap, 0};
    to[0] = 0;
    show(&s, bytes, 0);
}
