/* SPDX-License-Identifier: Apache-2.0 */
/* story.h -- the stories in a Markdown file, read into steps.
 *
 * A story is a fenced block that opens with ```story, perhaps with options;
 * README.md beside this file says how its lines are written. Text in, steps
 * out: what a step's words mean is run.c's business. */
#ifndef IDT_STORY_H
#define IDT_STORY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum story_kind {
    STORY_CALL,  /* A acquire "" "k" lease=5 -> ... */
    STORY_SEND,  /* A send [0, 1, "ping", []] -> ... */
    STORY_RAW,   /* A raw 94 00 -> ... */
    STORY_HEAR,  /* -> A ...: an answer that was owed */
    STORY_LEAVE, /* A leaves */
    STORY_STOP   /* the server is told to stop */
} story_kind;

typedef struct story_step {
    int line;
    uint64_t at_ms;
    story_kind kind;
    char actor;         /* 'A' to 'Z' */
    const char *text;   /* CALL: from the method on; SEND, RAW: what */
    const char *expect; /* "" for LEAVE */
    const char *whole;  /* the line as it stands */
} story_step;

typedef struct story {
    const char *file;
    const char *title; /* the heading above */
    int line;
    bool core_only; /* its times are too fine, or too long, for a real clock */
    bool tcp_only;  /* about connections, which the core has none of */
    uint64_t result_bytes_max;    /* 0: the default */
    uint32_t waiters_per_key_max; /* 0: the default */
    uint32_t waiters_max;         /* 0: the default */
    uint64_t memory_bytes_max;    /* 0: the default */
    /* of the daemon alone: */
    uint32_t pending_max;     /* 0: the default */
    uint32_t connections_max; /* 0: the default */
    const char *secret;       /* NULL: none is demanded */
    bool own_server;          /* it counts on a server that nobody else uses */
    const char *tier;         /* NULL: core */
    story_step *steps;
    int step_count;
} story;

typedef struct stories {
    story *at;
    int count;
    char *text; /* what the steps point into */
} stories;

/* Does it need flags, a stop, or a server for itself? */
bool story_needs_start(const story *s);

/* Reads all stories of a file. False, with a line on stderr, when the file
 * can't be read or a line makes no sense. */
bool stories_read(stories *all, const char *file);
/* The same with a text, which is copied; file is its name. */
bool stories_parse(stories *all, const char *file, const char *text);
void stories_free(stories *all);

#endif
