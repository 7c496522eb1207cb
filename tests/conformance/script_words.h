/* SPDX-License-Identifier: Apache-2.0 */
/* script_words.h -- the words of a script's lines, and values held against
 * them. */
#ifndef CONF_SCRIPT_WORDS_H
#define CONF_SCRIPT_WORDS_H

#include "tests/conformance/notation.h"
#include "tests/conformance/under_test.h"

enum { SCRIPT_WORD_MAX = 256, SCRIPT_VARS_MAX = 16, SCRIPT_VALUE_MAX = 64 };

/* What a script has named: bytes, or the number of a connection. */
typedef struct script_vars {
    struct {
        char name[16];
        uint8_t bytes[SCRIPT_VALUE_MAX];
        size_t len;
    } at[SCRIPT_VARS_MAX];
    int count;
} script_vars;

/* Four tokens that grow: $t1 to $t4. */
void script_vars_init(script_vars *vars, story_vars *tokens);

/* The next word, quotes kept; false at the end. */
bool script_word(const char **at, char word[SCRIPT_WORD_MAX]);

/* word="name=value": the value, or NULL; the name is cut off. */
char *script_split(char *word);

/* Holds what came against a word: nil, any, 500, <500, >500, word, "text",
 * h"00ff", $name (bound when it is new), !$name (anything but that). */
bool script_match(script_vars *vars, const char *word, const idt_item *item);

/* The same with what the client answered; bytes come as hexadecimal. */
bool script_match_json(script_vars *vars, const char *word,
                       const json_t *value);

/* What a word says as bytes: h"00ff", "text", text, $name. */
size_t script_bytes(const script_vars *vars, const char *word,
                    uint8_t to[SCRIPT_WORD_MAX]);

void script_hex(const uint8_t *bytes, size_t len, char *to);

#endif
