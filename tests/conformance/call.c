/* SPDX-License-Identifier: Apache-2.0 */
/* call.c -- a call's words, made into a request. See words.h. */
#include "tests/conformance/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 1024, PARAMS_MAX = 8, WAIT_MAX_MS = 60000 };

typedef enum value_kind { TEXT, BYTES, NUMBER } value_kind;

typedef struct param {
    const char *word; /* as the story says it */
    value_kind kind;
    const char *option; /* its name in the map at the end; NULL: positional */
} param;

typedef struct method {
    const char *name;
    param params[PARAMS_MAX]; /* behind ns and key */
} method;

static const method methods[] = {
    {"acquire",
     {{"fp", BYTES, NULL},
      {"nonce", TEXT, NULL},
      {"lease", NUMBER, NULL},
      {"ttl", NUMBER, NULL},
      {"wait", NUMBER, "wait_ms"},
      {"on_orphan", TEXT, "on_orphan"}}},
    {"complete",
     {{"token", BYTES, NULL},
      {"result", BYTES, NULL},
      {"ttl", NUMBER, NULL},
      {"class", TEXT, "class"}}},
    {"release", {{"token", BYTES, NULL}, {"unbind", NUMBER, "unbind"}}},
    {"renew", {{"token", BYTES, NULL}, {"lease", NUMBER, NULL}}},
    {"peek", {{0}}},
};

uint64_t story_ms(const story_clock *clock, uint64_t ms) {
    return ms < 60000 ? ms * clock->stretch : ms;
}

/* --- words ------------------------------------------------------------- */

bool story_word(const char **at, char *word, size_t word_max) {
    while (**at == ' ') {
        (*at)++;
    }
    size_t len = 0;
    bool quoted = false;
    while (**at && (quoted || **at != ' ') && len < word_max - 1) {
        quoted ^= **at == '"';
        word[len++] = *(*at)++;
    }
    word[len] = 0;
    return len > 0;
}

static void pack_kind(value_kind kind, const idt_buf *bytes, idt_buf *out) {
    if (kind == BYTES) {
        idt_pack_bin(out, bytes->at, bytes->len);
    } else {
        idt_pack_str(out, bytes->at, bytes->len);
    }
}

/* x*512 and bare words. */
static void pack_plain(const char *value, value_kind kind, idt_buf *out) {
    idt_buf bytes = {0};
    if (value[0] && value[1] == '*') {
        for (size_t n = strtoul(value + 2, NULL, 10); n > 0; n--) {
            idt_buf_add_byte(&bytes, (uint8_t)value[0]);
        }
    } else {
        idt_buf_add(&bytes, value, strlen(value));
    }
    pack_kind(kind, &bytes, out);
    idt_buf_free(&bytes);
}

static bool is_whole_number(const char *value) {
    return value[0] && value[strspn(value, "0123456789")] == 0;
}

/* A wait is never stretched beyond what a wait may be; one that was beyond
 * it stays there. */
static uint64_t stretched(const story_clock *clock, const param *p,
                          const char *value) {
    uint64_t ms = strtoull(value, NULL, 10);
    uint64_t now = story_ms(clock, ms);
    bool wait = p->option && strcmp(p->option, "wait_ms") == 0;
    return wait && ms <= WAIT_MAX_MS && now > WAIT_MAX_MS ? WAIT_MAX_MS : now;
}

static bool pack_value(const char *value, const param *p,
                       const story_vars *vars, const story_clock *clock,
                       idt_buf *out) {
    value_kind kind = p->kind;
    if (kind == NUMBER && is_whole_number(value)) {
        idt_pack_uint(out, stretched(clock, p, value));
        return true;
    }
    bool noted = kind == NUMBER || strchr("\"$", value[0]) ||
                 strncmp(value, "h\"", 2) == 0 ||
                 strncmp(value, "b\"", 2) == 0 || strcmp(value, "nil") == 0;
    if (noted) {
        return story_notation_pack(&value, vars, out) && *value == 0;
    }
    pack_plain(value, kind, out);
    return true;
}

/* --- the call ---------------------------------------------------------- */

static const method *find_method(const char *name) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

typedef struct given {
    idt_buf values[PARAMS_MAX]; /* by the method's order; empty: not given */
    int positional;             /* how many there are */
    int last;                   /* one past the last positional given */
    uint32_t options;           /* how many given */
} given;

static bool take_params(const char *words, const method *m,
                        const story_vars *vars, const story_clock *clock,
                        given *g) {
    char word[WORD_MAX];
    while (story_word(&words, word, sizeof word)) {
        char *equals = strchr(word, '=');
        if (!equals) {
            return false;
        }
        *equals = 0;
        int at = 0;
        while (m->params[at].word && strcmp(m->params[at].word, word) != 0) {
            at++;
        }
        if (!m->params[at].word || !pack_value(equals + 1, &m->params[at], vars,
                                               clock, &g->values[at])) {
            return false;
        }
        bool option = m->params[at].option != NULL;
        g->options += option;
        g->last = !option && at >= g->last ? at + 1 : g->last;
    }
    while (m->params[g->positional].word && !m->params[g->positional].option) {
        g->positional++;
    }
    return true;
}

static void put_params(const method *m, const given *g, idt_buf *out) {
    int count = g->options ? g->positional : g->last;
    for (int i = 0; i < count; i++) {
        if (g->values[i].len == 0) {
            idt_pack_nil(out);
        }
        idt_buf_add(out, g->values[i].at, g->values[i].len);
    }
    if (g->options == 0) {
        return;
    }
    idt_pack_map(out, g->options);
    for (int i = g->positional; m->params[i].word; i++) {
        if (g->values[i].len > 0) {
            const char *name = m->params[i].option;
            idt_pack_str(out, name, strlen(name));
            idt_buf_add(out, g->values[i].at, g->values[i].len);
        }
    }
}

bool story_call_pack(const char *words, uint32_t msgid, const story_vars *vars,
                     const story_clock *clock, idt_buf *out) {
    char name[WORD_MAX], ns[WORD_MAX], key[WORD_MAX];
    const method *m =
        story_word(&words, name, sizeof name) ? find_method(name) : NULL;
    if (!m || !story_word(&words, ns, sizeof ns) ||
        !story_word(&words, key, sizeof key)) {
        return false;
    }
    given g = {0};
    bool good = take_params(words, m, vars, clock, &g);
    uint32_t behind = (uint32_t)(g.options ? g.positional + 1 : g.last);
    idt_pack_array(out, 4);
    idt_pack_uint(out, 0);
    idt_pack_uint(out, msgid);
    idt_pack_str(out, name, strlen(name));
    idt_pack_array(out, 2 + behind);
    static const param name_param = {"", TEXT, NULL};
    good = good && pack_value(ns, &name_param, vars, clock, out) &&
           pack_value(key, &name_param, vars, clock, out);
    put_params(m, &g, out);
    for (int i = 0; i < PARAMS_MAX; i++) {
        idt_buf_free(&g.values[i]);
    }
    return good;
}
