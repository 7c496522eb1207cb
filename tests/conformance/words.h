/* SPDX-License-Identifier: Apache-2.0 */
/* words.h -- the words of a story's lines: a call made into MessagePack, an
 * expected answer held against the bytes that came.
 *
 * Knows the wire's methods and results by name and position, from the
 * design's tables, not from proto/. */
#ifndef IDT_WORDS_H
#define IDT_WORDS_H

#include "tests/conformance/notation.h"

/* How a story's milliseconds stand to those of this run. */
typedef struct story_clock {
    uint32_t stretch;  /* each of the story's ms takes this many */
    uint64_t slack_ms; /* how far a time in an answer may be off; virtual
                        * time: 0 */
} story_clock;

/* A duration of the story in this run: stretched, unless it is a minute or
 * more; those are never waited for. */
uint64_t story_ms(const story_clock *clock, uint64_t ms);

/* The next word, its quotes kept, as much as fits; false at the end. */
bool story_word(const char **at, char *word, size_t word_max);

/* [0, msgid, method, params] of a call's words. method gets its name.
 * False when the words make no sense. */
bool story_call_pack(const char *words, uint32_t msgid, const story_vars *vars,
                     const story_clock *clock, idt_buf *out);

/* A reply as it came. */
typedef struct story_frame {
    const uint8_t *bytes;
    size_t len;
    bool peek; /* it answers a peek, whose fields have names */
} story_frame;

/* Why an answer is not the expected one. */
typedef struct story_why {
    char text[128];
} story_why;

/* Holds a reply against the words behind the arrow. */
bool story_reply_match(const char *words, story_vars *vars,
                       const story_clock *clock, const story_frame *frame,
                       story_why *why);

#endif
