/* SPDX-License-Identifier: Apache-2.0 */
/* script_inner.h -- a script under way: shared by the verbs of its lines. */
#ifndef CONF_SCRIPT_INNER_H
#define CONF_SCRIPT_INNER_H

#include "tests/conformance/script.h"
#include "tests/conformance/script_words.h"
#include "tests/conformance/scripted.h"

enum {
    SCRIPT_PATIENCE_MS = 60000, /* for what must come */
    SCRIPT_TURN_MS = 20,
    SCRIPT_TAGS_MAX = 32,
    SCRIPT_TEXT_MAX = 1024
};

typedef struct script_running {
    const script *s;
    int line; /* index */
    scripted *net;
    under_test *cut;
    script_vars vars;
    story_vars tokens;
    scripted_call *calls[SCRIPT_TAGS_MAX]; /* what the script calls 1, 2 ... */
    json_t *opened;                        /* the client's answer to open */
    uint64_t peak_kib;
    conf_say *say;
    bool not_judged;
} script_running;

/* Each says what failed, where, and is false. */
__attribute__((format(printf, 2, 3))) bool script_fail(script_running *r,
                                                       const char *format, ...);
bool script_fail_call(script_running *r, const scripted_call *call,
                      const char *why);
bool script_fail_answer(script_running *r, const json_t *answer,
                        const char *why);

/* Has nobody done what is wrong in every script? */
bool script_holds(script_running *r);
/* Waits for something to happen. */
bool script_turn(script_running *r, int wait_ms);
/* The first call that the script has not heard yet, or NULL. */
scripted_call *script_untaken(script_running *r);

/* The verbs; at stands behind their word. */
bool script_servers(script_running *r, const char *at);
bool script_server(script_running *r, scripted_server *server, const char *at);
/* server NULL: any. */
bool script_hears(script_running *r, const scripted_server *server,
                  const char *at);
bool script_open(script_running *r, const char *at);
bool script_needs(script_running *r, const char *at);
bool script_call(script_running *r, const char *at);
bool script_client(script_running *r, const char *at);

#endif
