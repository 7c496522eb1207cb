/* SPDX-License-Identifier: Apache-2.0 */
/* notation.h -- MessagePack as a story writes it: [0, 7, "ping", []].
 *
 *   nil true false 17 -3       as they look, in their shortest form
 *   f64(500) u64(5)            a float, a wide integer
 *   "text"  b"text"  h"00ff"   a str, a bin, a bin in hexadecimal
 *   "x"*512                    repeated; b and h too
 *   [1, 2]  {"a": 1}           an array, a map
 *   $t1  $t1+1                 a token that the story has seen (a bin)
 *   _  ...                     in an answer: anything; and whatever follows
 *
 * Text in, bytes out, or bytes held against the text. */
#ifndef IDT_NOTATION_H
#define IDT_NOTATION_H

#include "tests/lib/pack.h"

enum { STORY_TOKEN_BYTES = 16, STORY_VARS_MAX = 32, STORY_NAME_MAX = 16 };

/* The tokens that a story has named. */
typedef struct story_vars {
    struct {
        char name[STORY_NAME_MAX];
        uint8_t token[STORY_TOKEN_BYTES];
    } at[STORY_VARS_MAX];
    int count;
} story_vars;

/* *text stands behind the $; it is moved behind the name (and +1 or -1).
 * False when the story has not seen that name. */
bool story_var_read(const story_vars *vars, const char **text,
                    uint8_t token[STORY_TOKEN_BYTES]);

/* Gives an unseen name this token; for a seen one, whether it is the same. */
bool story_var_bind(story_vars *vars, const char *name, size_t name_len,
                    const uint8_t token[STORY_TOKEN_BYTES]);

/* Packs one value; *text is moved behind it. False when it can't be read. */
bool story_notation_pack(const char **text, const story_vars *vars,
                         idt_buf *out);

/* Holds one element against one value; both are moved behind it. An unseen
 * name is bound to what stands there. */
bool story_notation_match(const char **text, story_vars *vars,
                          idt_cursor *bytes);

/* Writes an element in this notation, long strings cut. */
void story_notation_show(idt_cursor *bytes, char *to, size_t cap);

#endif
