/* SPDX-License-Identifier: Apache-2.0 */
/* backend.h -- whom a story is told to: the core in virtual time, the model
 * in virtual time, or the daemon over TCP. Bytes go in and frames come out
 * the same way for all of them. */
#ifndef IDT_BACKEND_H
#define IDT_BACKEND_H

#include "tests/conformance/story.h"
#include "tests/lib/pack.h"

enum { ACTORS_MAX = 26 };

typedef enum backend_got {
    GOT_FRAME,   /* one reply, or a line that is none */
    GOT_NOTHING, /* within the time given */
    GOT_CLOSE    /* the connection was closed from over there */
} backend_got;

typedef struct backend_frame {
    idt_buf bytes;
    uint64_t at_ms; /* when it came, since the story's start */
    uint64_t order; /* virtual time: the how manieth of all frames */
} backend_frame;

typedef struct backend backend;
struct backend {
    bool real_time;
    /* Lets time pass. */
    void (*wait_until)(backend *b, uint64_t at_ms);
    uint64_t (*now_ms)(backend *b);
    /* Connects the actor first where it is not. */
    void (*send)(backend *b, int actor, const uint8_t *bytes, size_t len);
    /* The next frame for the actor; bytes are the caller's to free. */
    backend_got (*receive)(backend *b, int actor, uint64_t patience_ms,
                           backend_frame *frame);
    void (*leave)(backend *b, int actor);
    /* Tells the server to stop: those who wait hear so. */
    void (*stop)(backend *b);
    /* False when something was wrong that no answer showed. */
    bool (*close)(backend *b);
};

/* engine: "core" or "model". */
backend *backend_virtual(const story *s, const char *engine);

/* A server over its port: the one that runs there, or one of its own for the
 * story. NULL, with why in say, when it is not to be had. */
struct conf_server;
backend *backend_tcp(const story *s, const struct conf_server *which, char *say,
                     size_t say_cap);

#endif
