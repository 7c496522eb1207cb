/* SPDX-License-Identifier: Apache-2.0 */
/* script_words.c -- see script_words.h. */
#include "tests/conformance/script_words.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool script_word(const char **at, char word[SCRIPT_WORD_MAX]) {
    size_t len = 0;
    bool quoted = false;
    *at += strspn(*at, " ");
    while (**at && (quoted || **at != ' ') && len < SCRIPT_WORD_MAX - 1) {
        quoted ^= **at == '"';
        word[len++] = *(*at)++;
    }
    word[len] = 0;
    return len > 0;
}

char *script_split(char *word) {
    char *equals = strchr(word, '=');
    if (!equals) {
        return NULL;
    }
    *equals = 0;
    return equals + 1;
}

void script_hex(const uint8_t *bytes, size_t len, char *to) {
    for (size_t i = 0; i < len; i++) {
        sprintf(to + 2 * i, "%02x", bytes[i]);
    }
    to[2 * len] = 0;
}

static size_t unhex(const char *text, size_t chars, uint8_t *to, size_t cap) {
    size_t len = 0;
    for (; 2 * len + 1 < chars && len < cap; len++) {
        char pair[3] = {text[2 * len], text[2 * len + 1], 0};
        to[len] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return len;
}

/* --- names -------------------------------------------------------------- */

static int find(const script_vars *vars, const char *name) {
    for (int i = 0; i < vars->count; i++) {
        if (strcmp(vars->at[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void bind_name(script_vars *vars, const char *name, const uint8_t *bytes,
                      size_t len) {
    assert(vars->count < SCRIPT_VARS_MAX && len <= SCRIPT_VALUE_MAX);
    snprintf(vars->at[vars->count].name, sizeof vars->at[0].name, "%s", name);
    memcpy(vars->at[vars->count].bytes, bytes, len);
    vars->at[vars->count++].len = len;
}

void script_vars_init(script_vars *vars, story_vars *tokens) {
    *vars = (script_vars){.count = 0};
    *tokens = (story_vars){.count = 0};
    for (int n = 1; n <= 4; n++) {
        char name[3] = {'t', (char)('0' + n), 0};
        uint8_t token[STORY_TOKEN_BYTES] = {0};
        token[6] = 3;
        token[7] = 0xe8;
        token[15] = (uint8_t)n;
        story_var_bind(tokens, name, 2, token);
        bind_name(vars, name, token, sizeof token);
    }
}

/* Equal to what the name stands for, or different from it with a "!"; a new
 * name is given the bytes. */
static bool match_name(script_vars *vars, const char *word,
                       const uint8_t *bytes, size_t len) {
    bool other = word[0] == '!';
    const char *name = word + other + 1;
    int at = find(vars, name);
    if (at < 0) {
        if (!other && len <= SCRIPT_VALUE_MAX) {
            bind_name(vars, name, bytes, len);
        }
        return !other && len <= SCRIPT_VALUE_MAX;
    }
    bool same =
        vars->at[at].len == len && memcmp(vars->at[at].bytes, bytes, len) == 0;
    return same != other;
}

size_t script_bytes(const script_vars *vars, const char *word,
                    uint8_t to[SCRIPT_WORD_MAX]) {
    size_t len = strlen(word);
    if (word[0] == '$') {
        int at = find(vars, word + 1);
        len = at < 0 ? 0 : vars->at[at].len;
        memcpy(to, at < 0 ? (const uint8_t *)"" : vars->at[at].bytes, len);
    } else if (word[0] == 'h' && word[1] == '"' && len >= 3) {
        len = unhex(word + 2, len - 3, to, SCRIPT_WORD_MAX);
    } else if (word[0] == '"' && len >= 2) {
        memcpy(to, word + 1, len -= 2);
    } else {
        memcpy(to, word, len);
    }
    return len;
}

/* --- values ------------------------------------------------------------- */

static bool match_number(const char *word, uint64_t number) {
    char *end;
    const char *from = word + (*word == '<' || *word == '>');
    uint64_t bound = strtoull(from, &end, 10);
    return *end == 0 && end != from &&
           (*word == '<'   ? number < bound
            : *word == '>' ? number > bound
                           : number == bound);
}

static bool match_bytes(script_vars *vars, const char *word,
                        const uint8_t *bytes, size_t len) {
    uint8_t wanted[SCRIPT_WORD_MAX];
    if (word[0] == '$' || (word[0] == '!' && word[1] == '$')) {
        return match_name(vars, word, bytes, len);
    }
    size_t wanted_len = script_bytes(vars, word, wanted);
    return wanted_len == len && memcmp(wanted, bytes, len) == 0;
}

bool script_match(script_vars *vars, const char *word, const idt_item *item) {
    switch (item->kind) {
    case IDT_NIL:
        return strcmp(word, "nil") == 0;
    case IDT_STR:
    case IDT_BIN:
        return strcmp(word, "any") == 0 ||
               match_bytes(vars, word, item->bytes, item->len);
    case IDT_BOOL:
        return strcmp(word, item->number ? "true" : "false") == 0;
    case IDT_UINT:
        return strcmp(word, "any") == 0 || match_number(word, item->number);
    default:
        return false;
    }
}

static bool match_text(script_vars *vars, const char *word, const char *text) {
    uint8_t bytes[SCRIPT_WORD_MAX];
    if (word[0] != '$' && word[0] != '!' && strncmp(word, "h\"", 2) != 0) {
        return match_bytes(vars, word, (const uint8_t *)text, strlen(text));
    }
    size_t len = unhex(text, strlen(text), bytes, sizeof bytes);
    return match_bytes(vars, word, bytes, len);
}

bool script_match_json(script_vars *vars, const char *word,
                       const json_t *value) {
    if (!value || json_is_null(value)) {
        return strcmp(word, "nil") == 0;
    }
    if (strcmp(word, "any") == 0) {
        return true;
    }
    if (json_is_integer(value)) {
        return match_number(word, (uint64_t)json_integer_value(value));
    }
    if (json_is_boolean(value)) {
        return strcmp(word, json_is_true(value) ? "true" : "false") == 0;
    }
    return json_is_string(value) &&
           match_text(vars, word, json_string_value(value));
}
