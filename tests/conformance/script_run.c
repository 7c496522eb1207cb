/* SPDX-License-Identifier: Apache-2.0 */
/* script_run.c -- a script, run: one line after the other, first word who,
 * second word what. See script.h; client/README.md says what each means. */
#include "tests/conformance/script_inner.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool script_fail(script_running *r, const char *format, ...) {
    char got[600];
    va_list args;
    va_start(args, format);
    vsnprintf(got, sizeof got, format, args);
    va_end(args);
    conf_say_to(r->say, "%s:%d: (%s)\n  %s\n  %s\n", r->s->file,
                r->s->lines[r->line].number, r->s->title,
                r->s->lines[r->line].text, got);
    return false;
}

/* --- what came ---------------------------------------------------------- */

static void show_call(const script_running *r, const scripted_call *call,
                      char *to, size_t cap) {
    char shown[400];
    idt_cursor at = {call->frame.at, call->frame.at + call->frame.len};
    story_notation_show(&at, shown, sizeof shown);
    snprintf(to, cap, "%s at server %c", shown,
             r->net->servers[call->server].name);
}

bool script_holds(script_running *r) {
    if (r->net->wrong[0]) {
        return script_fail(r, "%s", r->net->wrong);
    }
    if (r->cut->wrong[0]) {
        return script_fail(r, "the client under test answered %s",
                           r->cut->wrong);
    }
    return !r->cut->ended || script_fail(r, "the client under test has ended");
}

bool script_turn(script_running *r, int wait_ms) {
    scripted_turn(r->net, r->cut->from, wait_ms);
    under_test_read(r->cut);
    return script_holds(r);
}

scripted_call *script_untaken(script_running *r) {
    for (int i = 0; i < r->net->call_count; i++) {
        scripted_call *call = &r->net->calls[i];
        if (!call->taken) {
            return call;
        }
    }
    return NULL;
}

bool script_fail_call(script_running *r, const scripted_call *call,
                      const char *why) {
    char shown[500];
    show_call(r, call, shown, sizeof shown);
    return script_fail(r, "%s: %s", why, shown);
}

bool script_fail_answer(script_running *r, const json_t *answer,
                        const char *why) {
    char *text = json_dumps(answer, JSON_COMPACT);
    script_fail(r, "%s: the client answered %s", why, text ? text : "?");
    free(text);
    return false;
}

/* --- the rest ----------------------------------------------------------- */

/* nothing 300: no call comes, no answer is given, for so many ms. */
static bool do_nothing(script_running *r, const char *at) {
    uint64_t until = scripted_now_ms() + strtoull(at, NULL, 10);
    do {
        if (!script_turn(r, SCRIPT_TURN_MS)) {
            return false;
        }
        const scripted_call *call = script_untaken(r);
        if (call) {
            return script_fail_call(r, call, "a request that should not come");
        }
        if (r->cut->answer_count > 1 || (r->cut->answer_count == 1 &&
                                         json_integer_value(json_object_get(
                                             r->cut->answers[0], "id")) != 0)) {
            return script_fail_answer(r, r->cut->answers[0], "too soon");
        }
    } while (scripted_now_ms() < until);
    return true;
}

/* most S calls 60; most S connects 60; most memory 1024 (MiB); least S calls
 * 3 */
static bool do_most(script_running *r, const char *at) {
    char who[SCRIPT_WORD_MAX], what[SCRIPT_WORD_MAX];
    script_word(&at, who);
    if (strcmp(who, "memory") == 0) {
        uint64_t grown = under_test_peak_kib(r->cut) - r->peak_kib;
        return grown / 1024 <= strtoull(at, NULL, 10) ||
               script_fail(r, "it reserved %llu MiB more than before",
                           (unsigned long long)grown / 1024);
    }
    script_word(&at, what);
    const scripted_server *server = scripted_find(r->net, who[0]);
    assert(server);
    int count = strcmp(what, "calls") == 0 ? server->calls : server->connects;
    bool least = strncmp(r->s->lines[r->line].text, "least", 5) == 0;
    return (least ? count >= atoi(at) : count <= atoi(at)) ||
           script_fail(r, "there were %d", count);
}

static bool do_line(script_running *r, const char *at) {
    char word[SCRIPT_WORD_MAX];
    script_word(&at, word);
    at += strspn(at, " ");
    scripted_server *server =
        word[1] == 0 ? scripted_find(r->net, word[0]) : NULL;
    if (server) {
        return script_server(r, server, at);
    }
    static const struct {
        const char *word;
        bool (*run)(script_running *, const char *);
    } rows[] = {
        {"servers", script_servers}, {"open", script_open},
        {"call", script_call},       {"client", script_client},
        {"nothing", do_nothing},     {"most", do_most},
        {"needs", script_needs},     {"least", do_most},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].word, word) == 0) {
            return rows[i].run(r, at);
        }
    }
    if (strcmp(word, "any") == 0) {
        at += strspn(at + 5, " ") + 5;
        return script_hears(r, NULL, at);
    }
    if (strcmp(word, "mark") == 0) {
        r->peak_kib = under_test_peak_kib(r->cut);
        return true;
    }
    return script_fail(r, "the script makes no sense");
}

conf_verdict script_run(const script *s, char *const argv[], conf_say *say) {
    script_running r = {.s = s, .say = say};
    script_vars_init(&r.vars, &r.tokens);
    r.net = scripted_new();
    r.cut = under_test_start(argv);
    assert(r.cut);
    bool good = true;
    for (r.line = 0; good && r.line < s->count; r.line++) {
        good = do_line(&r, s->lines[r.line].text);
    }
    json_decref(r.opened);
    under_test_end(r.cut);
    scripted_free(r.net);
    return r.not_judged ? CONF_NOT_JUDGED : good ? CONF_PASSED : CONF_FAILED;
}
