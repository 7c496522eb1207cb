/* SPDX-License-Identifier: Apache-2.0 */
/* resolve_orphaned.c -- an operator decides what became of all orphaned claims
 * of a namespace: first it says how many they are, and asks.
 *
 * Each is decided for itself, by the token that is seen just before, and has
 * its own lines in the audit log. Never with force: what somebody has claimed
 * anew in between stays as it is. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"
#include "client/ctl/values.h"
#include "client/include/idemclient_look.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* So many are held in memory, and decided at once; who has more asks again. */
#define MANY_MAX    100000u
#define PER_SECOND  100u
#define RATE_MAX    10000u
#define NONCE_BYTES 16
#define WALK_MS     600000u
#define KEY_HEAD    2

typedef struct many {
    ctl_session *session;
    ctl_ask *ask;
    uint8_t *keys; /* each with its length before it */
    size_t len, cap;
    uint64_t count, left_out, done, changed;
    bool failed;
    idem_resolve_args args;
    idem_token token; /* of the one in hand */
    uint8_t nonce[NONCE_BYTES];
    bool is_orphaned;
    uint32_t per_second;
} many;

/* Which ------------------------------------------------------------------- */

static bool keep_key(many *m, const idem_record *one) {
    size_t bytes = KEY_HEAD + one->key_len;
    if (m->len + bytes > m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 1u << 16;
        uint8_t *grown = realloc(m->keys, cap);
        if (grown == NULL)
            return false;
        m->keys = grown;
        m->cap = cap;
    }
    m->keys[m->len] = (uint8_t)(one->key_len >> 8);
    m->keys[m->len + 1] = (uint8_t)one->key_len;
    memcpy(m->keys + m->len + KEY_HEAD, one->key, one->key_len);
    m->len += bytes;
    return true;
}

/* One that is seen twice is decided once: the second time it is not orphaned.
 */
static void note_orphan(void *ctx, const idem_record *one) {
    many *m = ctx;
    if (m->count == MANY_MAX)
        m->left_out++;
    else if (!m->failed && keep_key(m, one))
        m->count++;
    else
        m->failed = true;
}

static int32_t find_orphans(many *m, idem_error *err) {
    idem_list_args args = IDEM_LIST_ARGS_INIT;
    const char *older = ctl_ask_text(m->ask, "older");
    const char *prefix = ctl_ask_text(m->ask, "prefix");
    args.state = IDEM_STATE_ORPHANED;
    args.ns = m->ask->args.ns;
    args.ns_len = m->ask->args.ns_len;
    args.prefix = prefix;
    args.prefix_len = prefix != NULL ? strlen(prefix) : 0;
    args.timeout_ms =
        m->ask->args.timeout_ms ? m->ask->args.timeout_ms : WALK_MS;
    if (older != NULL)
        value_duration(older, &args.older_ms); /* it was checked */
    return idem_list(m->session->uri_at_once, &args, note_orphan, m, err);
}

/* Each ---------------------------------------------------------------------
 */

static void see_orphan(void *ctx, const idem_inspected *one) {
    many *m = ctx;
    m->is_orphaned = one->state == IDEM_STATE_ORPHANED;
    m->token = one->token;
}

static int32_t decide_one(many *m, const uint8_t *key, size_t len,
                          idem_error *err) {
    const char *uri = m->session->uri_at_once;
    idem_args look = m->ask->args;
    idem_resolve_answer answer = IDEM_RESOLVE_ANSWER_INIT;
    look.key = key;
    look.key_len = len;
    m->is_orphaned = false;
    int32_t code = idem_inspect(uri, &look, see_orphan, m, err);
    if (code != IDEM_OK || !m->is_orphaned) {
        m->changed += code == IDEM_OK;
        return code;
    }
    m->args.key = key;
    m->args.key_len = len;
    m->args.token = m->token;
    m->args.nonce = NULL;
    if (getrandom(m->nonce, sizeof m->nonce, 0) == (ssize_t)sizeof m->nonce) {
        m->args.nonce = m->nonce;
        m->args.nonce_len = sizeof m->nonce;
    }
    code = idem_resolve(uri, &m->args, &answer, err);
    if (code == IDEM_OK && answer.outcome <= IDEM_RESOLVED_DELETED)
        m->done++;
    else
        m->changed += code == IDEM_OK;
    return code;
}

/* No faster than it was told to: others are served, and the audit log is read
 * by people. */
static void pace_orphans(const many *m, const struct timespec *begun,
                         uint64_t decided) {
    uint64_t ns = decided * 1000000000u / m->per_second;
    struct timespec until = *begun;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec += (long)(ns % 1000000000u);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

static int32_t decide_all(many *m, idem_error *err) {
    struct timespec begun;
    uint64_t decided = 0;
    int32_t code = IDEM_OK;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (size_t at = 0; at < m->len && code == IDEM_OK; decided++) {
        size_t len = (size_t)m->keys[at] << 8 | m->keys[at + 1];
        pace_orphans(m, &begun, decided);
        code = decide_one(m, m->keys + at + KEY_HEAD, len, err);
        at += KEY_HEAD + len;
    }
    return code;
}

/* The command -------------------------------------------------------------- */

static void say_many(const many *m, const char *outcome) {
    report r = report_begin(stdout, m->ask->json, "outcome", outcome);
    report_number(&r, "orphaned", m->count);
    if (m->left_out > 0)
        report_number(&r, "left_out", m->left_out);
    if (strcmp(outcome, "resolved") == 0) {
        report_number(&r, "resolved", m->done);
        report_number(&r, "changed_meanwhile", m->changed);
    }
    report_end(&r);
}

/* Whoever is at a terminal answers; nobody else is asked. */
static bool are_meant(const many *m) {
    char said[8] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fprintf(stderr, "%llu orphaned claims: %s them? [y/N] ",
            (unsigned long long)m->count, ctl_ask_text(m->ask, "verb"));
    return fgets(said, sizeof said, stdin) != NULL &&
           (said[0] == 'y' || said[0] == 'Y');
}

static bool read_many(many *m) {
    ctl_ask *ask = m->ask;
    const char *older = ctl_ask_text(ask, "older");
    const char *pace = ctl_ask_text(ask, "per-second");
    uint64_t ms;
    char *end = NULL;
    m->args.verb = ctl_verb_of(ctl_ask_text(ask, "verb"));
    m->args.reason = ctl_ask_text(ask, "reason");
    m->args.ns = ask->args.ns;
    m->args.ns_len = ask->args.ns_len;
    m->args.result_class = ask->args.result_class;
    m->args.ttl_ms = ask->args.ttl_ms;
    m->args.timeout_ms = ask->args.timeout_ms;
    m->per_second = pace ? (uint32_t)strtoul(pace, &end, 10) : PER_SECOND;
    if (m->args.verb == 0)
        return ctl_why(ask, "--verb: complete, release or delete");
    if (ask->args.ns == NULL)
        return ctl_why(ask, "which namespace? name it with -n, if need be -n "
                            "\"\"");
    if (older != NULL && !value_duration(older, &ms))
        return ctl_why(ask, "--older: a duration with its unit, as 10m");
    if (pace && (*end != '\0' || m->per_second < 1 || m->per_second > RATE_MAX))
        return ctl_why(ask, "--per-second: 1 to %u", RATE_MAX);
    return true;
}

static ctl_exit run_many(many *m) {
    idem_error err = IDEM_ERROR_INIT;
    if (find_orphans(m, &err) != IDEM_OK)
        return ctl_say_error(m->ask, &err);
    if (m->failed) {
        fputs("idemctl: no memory for their keys\n", stderr);
        return CTL_EXIT_UNAVAILABLE;
    }
    if (m->ask->dry_run) {
        say_many(m, "counted");
        return CTL_EXIT_DONE;
    }
    if (m->count > 0 && !ctl_ask_gives(m->ask, "yes") && !are_meant(m)) {
        say_many(m, "refused");
        fputs("idemctl: nothing was decided; --yes does not ask\n", stderr);
        return CTL_EXIT_REFUSED;
    }
    int32_t code = decide_all(m, &err);
    say_many(m, "resolved");
    return code == IDEM_OK ? CTL_EXIT_DONE : ctl_say_error(m->ask, &err);
}

ctl_exit ctl_run_resolve_orphaned(ctl_session *session, ctl_ask *ask) {
    many m = {.session = session, .ask = ask, .args = IDEM_RESOLVE_ARGS_INIT};
    if (!read_many(&m))
        return ctl_usage_error(ask);
    ctl_exit code = run_many(&m);
    free(m.keys);
    return code;
}
