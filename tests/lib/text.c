/* SPDX-License-Identifier: Apache-2.0 */
/* text.c -- see text.h. The words are its own: a trace must not depend on the
 * code that it is to judge. */
#include "tests/lib/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct line {
    char *to;
    size_t cap;
    size_t len;
} line;

__attribute__((format(printf, 2, 3))) static void say(line *l,
                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->to + l->len, l->cap - l->len, format, args);
    va_end(args);
    l->len += (size_t)n;
    l->len = l->len < l->cap ? l->len : l->cap - 1;
}

static void say_bytes(line *l, const char *name, idp_slice bytes) {
    size_t shown = bytes.len < 12 ? bytes.len : 12;
    say(l, " %s", name);
    if (!bytes.ptr) {
        say(l, "nil");
        return;
    }
    say(l, "\"");
    for (size_t i = 0; i < shown; i++) {
        say(l, isalnum(bytes.ptr[i]) ? "%c" : "\\%02x", bytes.ptr[i]);
    }
    say(l, shown < bytes.len ? "...\"(%zu bytes)" : "\"", bytes.len);
}

static void say_token(line *l, idp_token token) {
    say(l, " token=%llu.%llu", (unsigned long long)token.epoch,
        (unsigned long long)token.sequence);
}

static void say_ms(line *l, const char *name, uint64_t ms) {
    say(l, " %s=%llu", name, (unsigned long long)ms);
}

static void say_acquire(line *l, const idp_request *q) {
    say(l, "acquire");
    say_bytes(l, "", q->ns);
    say_bytes(l, "", q->key);
    if (q->fingerprint.len > 0) {
        say_bytes(l, "fp=", q->fingerprint);
    }
    if (q->nonce.len > 0) {
        say_bytes(l, "nonce=", q->nonce);
    }
    say_ms(l, "lease", q->lease_ms);
    say_ms(l, "ttl", q->ttl_ms);
    if (q->wait_ms > 0) {
        say_ms(l, "wait", q->wait_ms);
    }
    if (q->on_orphan == IDP_REPORT) {
        say(l, " on_orphan=report");
    }
}

const char *idt_text_request(const idp_request *q, char *to, size_t cap) {
    static const char *const names[] = {"acquire", "complete", "release",
                                        "renew", "peek"};
    line l = {to, cap, 0};
    to[0] = 0;
    if (q->method == IDP_ACQUIRE) {
        say_acquire(&l, q);
        return to;
    }
    say(&l, "%s",
        q->method <= IDP_PEEK      ? names[q->method]
        : q->method == IDP_RESOLVE ? "resolve"
                                   : "?");
    if (q->method == IDP_RESOLVE) {
        static const char *const verbs[] = {"complete", "release", "delete"};
        say(&l, " %s", (unsigned)q->verb < 3 ? verbs[q->verb] : "?");
        say_bytes(&l, "nonce=", q->nonce);
        say(&l, q->force ? " force" : "");
    }
    say_bytes(&l, "", q->ns);
    say_bytes(&l, "", q->key);
    if (q->method != IDP_PEEK) {
        say_token(&l, q->token);
    }
    if (q->method == IDP_COMPLETE) {
        say_bytes(&l, "result=", q->result);
        if (q->ttl_ms > 0) {
            say_ms(&l, "ttl", q->ttl_ms);
        }
        say(&l, q->class == IDP_CLASS_ERROR ? " class=error" : "");
        say(&l, q->result_too_large ? " (it was too large)" : "");
    }
    if (q->method == IDP_RENEW) {
        say_ms(&l, "lease", q->lease_ms);
    }
    say(&l, q->unbind ? " unbind=true" : "");
    return to;
}

static const char *state_word(idp_state state) {
    static const char *const words[] = {"absent", "in_progress", "orphaned",
                                        "completed", "released"};
    return (unsigned)state < IDP_STATE_COUNT ? words[state] : "?";
}

static void say_record(line *l, const idp_answer *a) {
    say(l, "is %s", state_word(a->state));
    if (a->state == IDP_STATE_ABSENT) {
        return;
    }
    say_ms(l, "age", a->age_ms);
    say_ms(l, "attempt", a->attempt);
    if (a->state == IDP_STATE_IN_PROGRESS) {
        say_ms(l, "lease_left", a->lease_left_ms);
    }
    say_ms(l, "ttl_left", a->ttl_left_ms);
    if (a->state == IDP_STATE_COMPLETED && a->has_result) {
        say_ms(l, "result_bytes", a->result_bytes);
    }
}

static void say_acquired(line *l, const idp_answer *a) {
    static const char *const words[] = {"none", "orphaned", "released"};
    say(l, "acquired");
    say_token(l, a->token);
    say_ms(l, "attempt", a->attempt);
    say(l, " previous=%s",
        (unsigned)a->previous < 3 ? words[a->previous] : "?");
    say_ms(l, "lease", a->lease_ms);
}

static void say_replay(line *l, const idp_answer *a) {
    say(l, "replay");
    say_bytes(l, "result=", a->has_result ? a->result : (idp_slice){0});
    say(l, " class=%s", a->class == IDP_CLASS_ERROR ? "error" : "success");
    say_ms(l, "age", a->age_ms);
    say_ms(l, "ttl_left", a->ttl_left_ms);
}

static void say_answer(line *l, const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        say_acquired(l, a);
        break;
    case IDP_OUTCOME_REPLAY:
        say_replay(l, a);
        break;
    case IDP_OUTCOME_IN_PROGRESS:
        say(l, "in_progress");
        say_ms(l, "lease_left", a->lease_left_ms);
        say_ms(l, "attempt", a->attempt);
        say_ms(l, "age", a->age_ms);
        break;
    case IDP_OUTCOME_MISMATCH:
        say(l, "mismatch state=%s", state_word(a->state));
        break;
    case IDP_OUTCOME_ORPHANED:
        say(l, "orphaned");
        say_ms(l, "age", a->age_ms);
        say_ms(l, "attempt", a->attempt);
        break;
    case IDP_OUTCOME_COMPLETED:
        say(l, "completed kept=%s", a->kept ? "true" : "false");
        if (a->ttl_ms > 0) {
            say(l, " ttl=%llu", (unsigned long long)a->ttl_ms);
        }
        break;
    case IDP_OUTCOME_RELEASED:
        say(l, "released");
        break;
    case IDP_OUTCOME_RENEWED:
        say(l, "renewed");
        say_ms(l, "lease", a->lease_ms);
        break;
    case IDP_OUTCOME_STALE:
        say(l, "stale state=%s", state_word(a->state));
        break;
    case IDP_OUTCOME_UNKNOWN:
        say(l, "unknown");
        break;
    case IDP_OUTCOME_RECORD:
        say_record(l, a);
        break;
    case IDP_OUTCOME_DELETED:
        say(l, "deleted");
        break;
    case IDP_OUTCOME_REFUSED:
        say(l, "refused state=%s", state_word(a->state));
        break;
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
        say(l, "%llu records", (unsigned long long)a->records);
        break;
    case IDP_OUTCOME_COUNT:
    default:
        say(l, "an outcome that is none (%d)", (int)a->outcome);
    }
}

const char *idt_text_answer(idp_error error, const idp_answer *a, char *to,
                            size_t cap) {
    line l = {to, cap, 0};
    to[0] = 0;
    if (error != IDP_OK) {
        say(&l, "error %s",
            error == IDP_E_NO_MEMORY       ? "NO_MEMORY"
            : error == IDP_E_LIMIT         ? "LIMIT"
            : error == IDP_E_SHUTTING_DOWN ? "SHUTTING_DOWN"
                                           : "?");
    } else {
        say_answer(&l, a);
    }
    return to;
}
