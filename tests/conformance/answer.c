/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c -- an expected answer, held against a reply. See words.h. */
#include "tests/conformance/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 256, FIELDS_MAX = 5 };

/* What stands behind the outcome, by position. A peek's fields stand in a
 * map, by name. */
typedef struct shape {
    const char *outcome;
    const char *fields[FIELDS_MAX];
} shape;

static const shape shapes[] = {
    {"acquired", {"token", "attempt", "previous", "lease"}},
    {"replay", {"result", "class", "age", "ttl_left"}},
    {"in_progress", {"lease_left", "attempt", "age"}},
    {"mismatch", {"state"}},
    {"orphaned", {"age", "attempt"}},
    {"completed", {"kept"}},
    {"stale", {"state"}},
    {"unknown", {NULL}},
    {"released", {NULL}},
    {"renewed", {"lease"}},
    {"absent", {NULL}},
};

typedef struct matching {
    story_vars *vars;
    const story_clock *clock;
    story_why *why;
} matching;

static bool wrong(const matching *m, const char *what) {
    snprintf(m->why->text, sizeof m->why->text, "%s", what);
    return false;
}

/* --- one field --------------------------------------------------------- */

/* $t2 or $t2>$t1: the first is bound where it is new. */
static bool match_token(const char *value, const matching *m,
                        const idt_item *item) {
    if (item->kind != IDT_BIN || item->len != STORY_TOKEN_BYTES) {
        return wrong(m, "the token is not a bin of 16 bytes");
    }
    const char *above = strchr(value, '>');
    size_t len = above ? (size_t)(above - value) : strlen(value);
    if (value[0] != '$' ||
        !story_var_bind(m->vars, value + 1, len - 1, item->bytes)) {
        return wrong(m, "another token");
    }
    if (above) {
        uint8_t lower[STORY_TOKEN_BYTES];
        above += 2;
        if (!story_var_read(m->vars, &above, lower) ||
            memcmp(item->bytes, lower, sizeof lower) <= 0) {
            return wrong(m, "the token has not grown");
        }
    }
    return true;
}

/* Times that run are compared within the clock's slack; a granted lease is
 * exact. */
static bool match_number(const char *name, const char *value, const matching *m,
                         const idt_item *item) {
    bool runs = strcmp(name, "age") == 0 || strcmp(name, "lease_left") == 0 ||
                strcmp(name, "ttl_left") == 0;
    bool time = runs || strcmp(name, "lease") == 0;
    uint64_t want = strtoull(value, NULL, 10);
    want = time ? story_ms(m->clock, want) : want;
    uint64_t off = runs ? m->clock->slack_ms : 0;
    if (item->kind != IDT_UINT || item->number + off < want ||
        item->number > want + off) {
        snprintf(m->why->text, sizeof m->why->text, "%.40s is not %llu", name,
                 (unsigned long long)want);
        return false;
    }
    return true;
}

static bool match_text(const char *name, const char *value, const matching *m,
                       const idt_item *item) {
    bool same = strcmp(value, "true") == 0
                    ? item->kind == IDT_BOOL && item->number == 1
                : strcmp(value, "false") == 0
                    ? item->kind == IDT_BOOL && item->number == 0
                    : idt_item_is(item, value);
    if (!same) {
        snprintf(m->why->text, sizeof m->why->text, "%.40s is not %.60s", name,
                 value);
    }
    return same;
}

/* Bytes go out as bin; a result that was not kept is nil. */
static bool match_result(const char *value, const matching *m,
                         const idt_item *item) {
    if (item->kind != IDT_BIN) {
        return wrong(m, "the result is not a bin");
    }
    if (value[0] && value[1] == '*') {
        size_t len = strtoul(value + 2, NULL, 10);
        bool same = item->len == len;
        for (size_t i = 0; same && i < len; i++) {
            same = item->bytes[i] == (uint8_t)value[0];
        }
        return same || wrong(m, "another result");
    }
    char text[WORD_MAX + 1];
    snprintf(text, sizeof text, value[0] == '"' ? "b%s" : "%s", value);
    const char *at = text;
    idt_buf want = {0};
    bool same = story_notation_pack(&at, m->vars, &want);
    idt_cursor cursor = {want.at, want.at + want.len};
    idt_item wanted;
    same = same && idt_unpack(&cursor, &wanted) && wanted.len == item->len &&
           memcmp(wanted.bytes, item->bytes, item->len) == 0;
    idt_buf_free(&want);
    return same || wrong(m, "another result");
}

static bool match_field(const char *name, const char *value, const matching *m,
                        const idt_item *item) {
    if (strcmp(name, "token") == 0) {
        return match_token(value, m, item);
    }
    if (strcmp(value, "nil") == 0) {
        return item->kind == IDT_NIL || wrong(m, "a field is not nil");
    }
    if (strcmp(name, "result") == 0) {
        return match_result(value, m, item);
    }
    if (value[0] >= '0' && value[0] <= '9') {
        return match_number(name, value, m, item);
    }
    return match_text(name, value, m, item);
}

/* --- the array of results ---------------------------------------------- */

static const shape *find_shape(const char *outcome) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(shapes[i].outcome, outcome) == 0) {
            return &shapes[i];
        }
    }
    return NULL;
}

static int field_count(const shape *s) {
    int count = 0;
    while (count < FIELDS_MAX && s->fields[count]) {
        count++;
    }
    return count;
}

/* Finds the field of that name: by position, or in a peek's map. */
static bool find_field(const shape *s, const char *name, idt_cursor cursor,
                       bool peek, idt_item *item) {
    if (!peek) {
        for (int i = 0; i < field_count(s); i++) {
            if (strcmp(s->fields[i], name) == 0) {
                return idt_unpack(&cursor, item);
            }
            idt_skip(&cursor);
        }
        return false;
    }
    char key[WORD_MAX];
    bool time = strcmp(name, "age") == 0 || strstr(name, "_left") != NULL;
    snprintf(key, sizeof key, "%.200s%s", name, time ? "_ms" : "");
    idt_item head, found;
    idt_unpack(&cursor, &head);
    for (uint64_t i = 0; i < head.count && idt_unpack(&cursor, &found); i++) {
        if (idt_item_is(&found, key)) {
            return idt_unpack(&cursor, item);
        }
        idt_skip(&cursor);
    }
    return false;
}

static bool match_fields(const shape *s, const char *words, const matching *m,
                         idt_cursor cursor, bool peek) {
    char word[WORD_MAX];
    while (story_word(&words, word, sizeof word)) {
        char *equals = strchr(word, '=');
        if (!equals) {
            return wrong(m, "the story's words make no sense");
        }
        *equals = 0;
        idt_item item;
        bool found = find_field(s, word, cursor, peek, &item);
        if (strcmp(equals + 1, "none") == 0 && peek) {
            if (found) {
                return wrong(m, "a field that has no place here");
            }
            continue;
        }
        if (!found) {
            return wrong(m, "a field is missing");
        }
        if (!match_field(word, equals + 1, m, &item)) {
            return false;
        }
    }
    return true;
}

static bool match_outcome(const char *words, const matching *m,
                          idt_cursor cursor, bool peek) {
    char outcome[WORD_MAX];
    idt_item array, item, fields = {.kind = IDT_NIL};
    story_word(&words, outcome, sizeof outcome);
    const shape *s = find_shape(outcome);
    if (!s && !peek) {
        return wrong(m, "the story's words make no sense");
    }
    if (!idt_unpack(&cursor, &array) || array.kind != IDT_ARRAY ||
        !idt_unpack(&cursor, &item) || !idt_item_is(&item, outcome)) {
        return wrong(m, "another outcome");
    }
    idt_cursor rest = cursor;
    idt_unpack(&rest, &fields);
    bool absent = strcmp(outcome, "absent") == 0;
    if (peek && (array.count != (absent ? 1 : 2) ||
                 (fields.kind == IDT_MAP) == absent)) {
        return wrong(m, "a peek answers [state, {...}], or [\"absent\"]");
    }
    if (!peek && array.count != (uint64_t)field_count(s) + 1) {
        return wrong(m, "another number of fields");
    }
    return match_fields(s, words, m, cursor, peek);
}

/* --- the reply --------------------------------------------------------- */

/* nil, or one string "CODE text". */
static bool match_error(const char *words, const matching *m,
                        const idt_item *item) {
    char word[WORD_MAX];
    story_word(&words, word, sizeof word); /* "error" */
    story_word(&words, word, sizeof word);
    size_t len = strlen(word);
    if (item->kind != IDT_STR) {
        return wrong(m, "the error is not a str");
    }
    if (item->len < len + 2 || memcmp(item->bytes, word, len) != 0 ||
        item->bytes[len] != ' ') {
        return wrong(m, "another error");
    }
    return true;
}

bool story_reply_match(const char *words, story_vars *vars,
                       const story_clock *clock, const story_frame *frame,
                       story_why *why) {
    matching m = {vars, clock, why};
    idt_cursor cursor = {frame->bytes, frame->bytes + frame->len};
    why->text[0] = 0;
    if (frame->len < 2 || frame->bytes[0] != 0x94 || frame->bytes[1] != 0x01) {
        return wrong(&m, "a reply starts with 94 01");
    }
    if (words[0] == '[') {
        return story_notation_match(&words, vars, &cursor) ||
               wrong(&m, "another reply");
    }
    idt_item error;
    cursor.at += 2;
    idt_skip(&cursor); /* the msgid: the runner has looked at it */
    if (!idt_unpack(&cursor, &error)) {
        return wrong(&m, "a reply has four elements");
    }
    if (strncmp(words, "error ", 6) == 0) {
        return match_error(words, &m, &error);
    }
    if (error.kind != IDT_NIL) {
        return wrong(&m, "an error");
    }
    return match_outcome(words, &m, cursor, frame->peek);
}
