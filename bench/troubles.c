/* SPDX-License-Identifier: Apache-2.0 */
/* troubles.c -- see troubles.h. */
#include "bench/troubles.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void keep_most(uint64_t *to, uint64_t more) {
    if (more > *to)
        *to = more;
}

static void keep_worst(double *to, double more) {
    if (more > *to)
        *to = more;
}

void idb_troubles_add(idb_troubles *to, const idb_troubles *more) {
    to->unexpected += more->unexpected;
    to->broken += more->broken;
    to->unanswered += more->unanswered;
    to->overdue += more->overdue;
    to->missed += more->missed;
    to->due += more->due;
    keep_most(&to->waited_max_ns, more->waited_max_ns);
    keep_most(&to->late_max_ns, more->late_max_ns);
    to->server_seen |= more->server_seen;
    keep_worst(&to->server_waited, more->server_waited);
    keep_worst(&to->client_waited, more->client_waited);
    keep_worst(&to->client_busy, more->client_busy);
    keep_worst(&to->stolen, more->stolen);
    if (!to->first_unexpected[0])
        memcpy(to->first_unexpected, more->first_unexpected,
               sizeof to->first_unexpected);
}

typedef struct line {
    char *to;
    size_t at, cap;
} line;

__attribute__((format(printf, 2, 3))) static void say(line *l,
                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(l->to + l->at, l->cap - l->at, format, args);
    va_end(args);
    l->at += len > 0 ? (size_t)len : 0;
    if (l->at >= l->cap)
        l->at = l->cap - 1;
}

static void say_answers(line *l, const idb_troubles *t) {
    if (t->unexpected)
        say(l, "! %" PRIu64 " unexpected answers, the first: %s; ",
            t->unexpected, t->first_unexpected);
    if (t->broken)
        say(l, "! %" PRIu64 " connections lost; ", t->broken);
    if (t->unanswered)
        say(l,
            "! %" PRIu64 " requests were never answered, one of them for %.0f "
            "ms; ",
            t->unanswered, (double)t->waited_max_ns / 1e6);
    if (t->overdue)
        say(l,
            "! %" PRIu64 " jobs were planned and never sent: all places were "
            "taken by requests without an answer; ",
            t->overdue);
    if (t->due)
        say(l,
            "%" PRIu64 " jobs planned, %.2f %% over 1 ms late (max %.1f ms); ",
            t->due, 100.0 * (double)t->missed / (double)t->due,
            (double)t->late_max_ns / 1e6);
}

static void say_machine(line *l, const idb_troubles *t) {
    const bool disturbed = t->server_waited >= IDB_WAITED_MUCH ||
                           t->client_waited >= IDB_WAITED_MUCH;
    if (disturbed && t->server_seen)
        say(l,
            "! the machine was disturbed: the server waited for a CPU %.0f %% "
            "of the time, the load generator %.0f %%; ",
            100 * t->server_waited, 100 * t->client_waited);
    else if (disturbed)
        say(l,
            "! the machine was disturbed: the load generator waited for a CPU "
            "%.0f %% of the time; ",
            100 * t->client_waited);
    if (t->stolen >= IDB_STOLEN_MUCH)
        say(l,
            "! the hypervisor kept the cores for %.1f %% of their time: "
            "latencies are its own, too; ",
            100 * t->stolen);
    if (t->client_busy >= IDB_BUSY_MUCH)
        say(l,
            "! the load generator had no time left (busy %.2f a thread): "
            "the server may be faster than this; ",
            t->client_busy);
}

void idb_troubles_tell(const idb_troubles *troubles, char *to, size_t cap) {
    line l = {.to = to, .cap = cap};
    to[0] = '\0';
    say_answers(&l, troubles);
    say_machine(&l, troubles);
    if (l.at >= 2 && !memcmp(to + l.at - 2, "; ", 2))
        to[l.at - 2] = '\0';
}
