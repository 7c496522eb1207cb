/* SPDX-License-Identifier: Apache-2.0 */
/* looks.c -- what is stuck and who holds it, who is connected, what is slow: a
 * table for people, a line of JSON each for scripts. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"
#include "client/ctl/values.h"
#include "client/include/idemclient_look.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A walk may take so long, unless --timeout says otherwise. */
#define WALK_MS 600000u

static const uint8_t *bytes_of(const char *text) {
    return (const uint8_t *)text;
}

/* "2d3h", "4m5s", "6s", "7ms": the two largest units. */
static void put_ms(uint64_t ms, char to[static 24]) {
    uint64_t s = ms / 1000, m = s / 60, h = m / 60;
    if (h >= 24)
        snprintf(to, 24, "%" PRIu64 "d%" PRIu64 "h", h / 24, h % 24);
    else if (h > 0)
        snprintf(to, 24, "%" PRIu64 "h%" PRIu64 "m", h, m % 60);
    else if (m > 0)
        snprintf(to, 24, "%" PRIu64 "m%" PRIu64 "s", m, s % 60);
    else if (s > 0)
        snprintf(to, 24, "%" PRIu64 "s", s);
    else
        snprintf(to, 24, "%" PRIu64 "ms", ms);
}

/* Text of a server's, in a column; nothing is a dash. */
static void put_column(const char *text, size_t len, int width) {
    long before = 0;
    char shown[256] = "";
    FILE *to = fmemopen(shown, sizeof shown, "w");
    if (to == NULL)
        return;
    report_escape(to, bytes_of(text != NULL ? text : "-"),
                  text != NULL ? (len < 60 ? len : 60) : 1);
    before = ftell(to);
    fclose(to);
    printf("%s%*s ", shown, before < width ? (int)(width - before) : 0, "");
}

/* Doubles -------------------------------------------------------------- */

/* Names that were shown, by 64 bits of their SHA-256: two that are not the same
 * agree in them once in an age. */
typedef struct shown {
    uint64_t *slots;
    size_t cap, count;
    bool failed;
} shown;

static bool insert(shown *s, uint64_t hash) {
    size_t at = hash & (s->cap - 1);
    while (s->slots[at] != 0 && s->slots[at] != hash)
        at = (at + 1) & (s->cap - 1);
    bool is_new = s->slots[at] == 0;
    s->slots[at] = hash;
    s->count += is_new;
    return is_new;
}

static bool grow_shown(shown *s) {
    shown larger = *s;
    larger.cap = s->cap ? s->cap * 2 : 1024;
    larger.count = 0;
    larger.slots = calloc(larger.cap, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i] != 0)
            insert(&larger, s->slots[i]);
    free(s->slots);
    *s = larger;
    return true;
}

/* False: this one was shown. */
static bool is_new(shown *s, const idem_record *one) {
    const idem_slice name[] = {{one->ns, one->ns_len},
                               {one->key, one->key_len}};
    uint8_t digest[IDEM_FINGERPRINT_BYTES];
    uint64_t hash;
    if (s->failed)
        return true;
    idem_fingerprint(name, 2, digest);
    memcpy(&hash, digest, sizeof hash);
    if (s->count * 2 >= s->cap && !grow_shown(s))
        s->failed = true;
    return s->failed || insert(s, hash | 1);
}

/* list ----------------------------------------------------------------- */

typedef struct listing {
    bool json;
    uint64_t count;
    shown shown;
} listing;

static void show_record_row(const listing *l, const idem_record *one) {
    char age[24], lease[24] = "-";
    put_ms(one->age_ms, age);
    if (one->state == IDEM_STATE_IN_PROGRESS)
        put_ms(one->lease_left_ms, lease);
    if (l->count == 0)
        printf("%-12s %10s %10s %8s %-16s namespace key\n", "state", "age",
               "lease left", "attempt", "by");
    printf("%-12s %10s %10s %8" PRIu32 " ", idem_state_name(one->state), age,
           lease, one->attempt);
    put_column(one->user, one->user_len, 16);
    putchar('"');
    report_escape(stdout, one->ns, one->ns_len);
    fputs("\" \"", stdout);
    report_escape(stdout, one->key, one->key_len);
    fputs("\"\n", stdout);
}

static void show_record_line(const idem_record *one) {
    report r = report_begin(stdout, true, "is", "record");
    report_bytes(&r, "namespace", one->ns, one->ns_len);
    report_bytes(&r, "key", one->key, one->key_len);
    report_text(&r, "state", idem_state_name(one->state));
    report_ms(&r, "age_ms", one->age_ms);
    report_number(&r, "attempt", one->attempt);
    if (one->state == IDEM_STATE_IN_PROGRESS)
        report_ms(&r, "lease_left_ms", one->lease_left_ms);
    report_ms(&r, "ttl_left_ms", one->ttl_left_ms);
    report_bytes(&r, "by", bytes_of(one->user), one->user_len);
    fputs("}\n", stdout);
}

static void show_record(void *ctx, const idem_record *one) {
    listing *l = ctx;
    if (!is_new(&l->shown, one))
        return;
    if (l->json)
        show_record_line(one);
    else
        show_record_row(l, one);
    l->count++;
}

static bool read_state(ctl_ask *ask, int32_t *state) {
    const char *word = ctl_ask_text(ask, "state");
    for (int32_t s = IDEM_STATE_IN_PROGRESS;
         word != NULL && s <= IDEM_STATE_RELEASED; s++)
        if (strcmp(word, idem_state_name(s)) == 0)
            *state = s;
    return word == NULL || *state != 0 ||
           ctl_why(ask, "--state: in_progress, orphaned, completed or "
                        "released");
}

static bool read_list_args(ctl_ask *ask, idem_list_args *args) {
    const char *older = ctl_ask_text(ask, "older");
    const char *prefix = ctl_ask_text(ask, "prefix");
    args->oldest = ctl_ask_gives(ask, "oldest");
    args->ns = ask->args.ns;
    args->ns_len = ask->args.ns_len;
    args->prefix = prefix;
    args->prefix_len = prefix != NULL ? strlen(prefix) : 0;
    args->timeout_ms = ask->args.timeout_ms ? ask->args.timeout_ms : WALK_MS;
    if (older != NULL && !value_duration(older, &args->older_ms))
        return ctl_why(ask, "--older: a duration with its unit, as 10m");
    if (!read_state(ask, &args->state))
        return false;
    return !args->oldest || args->state == IDEM_STATE_ORPHANED ||
           args->state == IDEM_STATE_IN_PROGRESS ||
           ctl_why(ask, "--oldest needs --state orphaned or in_progress");
}

static void say_none(const ctl_ask *ask, uint64_t count, const char *what) {
    if (!ask->json && count == 0)
        printf("none: %s\n", what);
    fflush(stdout);
}

ctl_exit ctl_run_list(ctl_session *session, ctl_ask *ask) {
    idem_error err = IDEM_ERROR_INIT;
    idem_list_args args = IDEM_LIST_ARGS_INIT;
    listing l = {.json = ask->json};
    if (!read_list_args(ask, &args))
        return ctl_usage_error(ask);
    int32_t code =
        idem_list(session->uri_at_once, &args, show_record, &l, &err);
    free(l.shown.slots);
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    say_none(ask, l.count, "no record is so");
    return CTL_EXIT_DONE;
}

/* inspect -------------------------------------------------------------- */

typedef struct inspecting {
    const ctl_ask *ask;
    bool is_absent;
} inspecting;

static void say_by(report *r, const idem_inspected *one) {
    report_bytes(r, "by_user", bytes_of(one->user), one->user_len);
    report_bytes(r, "by_client", bytes_of(one->client), one->client_len);
    report_bytes(r, "by_address", bytes_of(one->address), one->address_len);
}

static void say_done(report *r, const idem_inspected *one) {
    report_text(r, "class", idem_class_name(one->result_class));
    report_flag(r, "has_result", one->has_result);
    if (one->has_result)
        report_number(r, "result_bytes", one->result_bytes);
    if (one->result != NULL)
        report_bytes(r, "result", one->result, one->result_len);
}

static void say_inspected(report *r, const idem_inspected *one) {
    report_ms(r, "age_ms", one->age_ms);
    report_number(r, "attempt", one->attempt);
    report_text(r, "previous", idem_previous_name(one->previous));
    report_ms(r, "ttl_ms", one->ttl_ms);
    report_ms(r, "ttl_left_ms", one->ttl_left_ms);
    if (one->fingerprint != NULL)
        report_hex(r, "fingerprint", one->fingerprint, one->fingerprint_len);
    if (one->has_token)
        report_hex(r, "token", one->token.bytes, IDEM_TOKEN_BYTES);
    if (one->state == IDEM_STATE_COMPLETED) {
        say_done(r, one);
    } else if (one->state != IDEM_STATE_RELEASED) {
        report_ms(r, "lease_ms", one->lease_ms);
        if (one->state == IDEM_STATE_IN_PROGRESS)
            report_ms(r, "lease_left_ms", one->lease_left_ms);
        say_by(r, one);
    }
}

static void show_inspected(void *ctx, const idem_inspected *one) {
    inspecting *see = ctx;
    report r = report_begin(stdout, see->ask->json, "state",
                            idem_state_name(one->state));
    see->is_absent = one->state == IDEM_STATE_ABSENT;
    if (!see->is_absent)
        say_inspected(&r, one);
    report_end(&r);
}

ctl_exit ctl_run_inspect(ctl_session *session, ctl_ask *ask) {
    idem_error err = IDEM_ERROR_INIT;
    inspecting see = {.ask = ask};
    int32_t code = idem_inspect(session->uri_at_once, &ask->args,
                                show_inspected, &see, &err);
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    return see.is_absent ? CTL_EXIT_UNKNOWN : CTL_EXIT_DONE;
}

/* clients, kill -------------------------------------------------------- */

static void show_client_line(const idem_client_row *one) {
    report r = report_begin(stdout, true, "is", "client");
    report_text(&r, "id", one->id);
    report_bytes(&r, "address", bytes_of(one->address), one->address_len);
    report_bytes(&r, "name", bytes_of(one->name), one->name_len);
    report_bytes(&r, "user", bytes_of(one->user), one->user_len);
    report_flag(&r, "tls", one->is_tls);
    report_flag(&r, "http", one->is_http);
    report_ms(&r, "age_ms", one->age_ms);
    report_number(&r, "requests", one->requests);
    report_number(&r, "waiting", one->waiting);
    report_number(&r, "unsent_bytes", one->unsent_bytes);
    fputs("}\n", stdout);
}

static void show_client_row(const listing *l, const idem_client_row *one) {
    char age[24];
    put_ms(one->age_ms, age);
    if (l->count == 0)
        printf("%-16s %-22s %-16s %-5s %10s %10s %8s %8s name\n", "id",
               "address", "user", "over", "age", "requests", "waiting",
               "unsent");
    report_escape(stdout, bytes_of(one->id), strlen(one->id));
    putchar(' ');
    put_column(one->address, one->address_len, 22);
    put_column(one->user, one->user_len, 16);
    printf("%-5s %10s %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " ",
           one->is_http ? (one->is_tls ? "https" : "http")
                        : (one->is_tls ? "tls" : "plain"),
           age, one->requests, one->waiting, one->unsent_bytes);
    report_escape(stdout, bytes_of(one->name != NULL ? one->name : "-"),
                  one->name != NULL ? one->name_len : 1);
    putchar('\n');
}

static void show_client(void *ctx, const idem_client_row *one) {
    listing *l = ctx;
    if (l->json)
        show_client_line(one);
    else
        show_client_row(l, one);
    l->count++;
}

ctl_exit ctl_run_clients(ctl_session *session, ctl_ask *ask) {
    idem_error err = IDEM_ERROR_INIT;
    listing l = {.json = ask->json};
    int32_t code = idem_clients(session->uri_at_once, ask->args.timeout_ms,
                                show_client, &l, &err);
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    say_none(ask, l.count, "nobody is connected");
    return CTL_EXIT_DONE;
}

ctl_exit ctl_run_kill(ctl_session *session, ctl_ask *ask) {
    idem_error err = IDEM_ERROR_INIT;
    int32_t was_there = 0;
    int32_t code = idem_kill(session->uri_at_once, ask->operands[0],
                             ask->args.timeout_ms, &was_there, &err);
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    report r = report_begin(stdout, ask->json, "outcome",
                            was_there ? "killed" : "unknown");
    if (!ask->json)
        report_text(&r, "that is",
                    was_there
                        ? "it is closed; its waiters are forgotten, its claims "
                          "stay"
                        : "there is no such connection, or no more");
    report_end(&r);
    return was_there ? CTL_EXIT_DONE : CTL_EXIT_UNKNOWN;
}

/* slow ----------------------------------------------------------------- */

static void show_slow_line(const idem_slow *one) {
    static const char *const kinds[5] = {"requests", "waiters", "messages",
                                         "sends", "due"};
    report r =
        report_begin(stdout, true, "is", one->is_hold ? "held" : "iteration");
    report_ms(&r, "age_ms", one->age_ms);
    report_number(&r, "thread", one->thread);
    report_number(&r, "us", one->us);
    for (int i = 0; !one->is_hold && i < 5; i++)
        report_number(&r, kinds[i], one->work[i]);
    if (one->is_hold) {
        report_text(&r, "for", one->is_replica ? "replica" : "disk");
        report_number(&r, "replies", one->replies);
    }
    fputs("}\n", stdout);
}

static void show_slow_row(const idem_slow *one) {
    char age[24];
    put_ms(one->age_ms, age);
    if (one->is_hold)
        printf("%10s ago  thread %-3" PRIu64 " %8" PRIu64
               " ms  held for the %s, %" PRIu64 " replies\n",
               age, one->thread, one->us / 1000,
               one->is_replica ? "replica" : "disk", one->replies);
    else
        printf("%10s ago  thread %-3" PRIu64 " %8" PRIu64
               " ms  iteration: requests %" PRIu64 " waiters %" PRIu64
               " messages %" PRIu64 " sends %" PRIu64 " due %" PRIu64 "\n",
               age, one->thread, one->us / 1000, one->work[0], one->work[1],
               one->work[2], one->work[3], one->work[4]);
}

static void show_slow(void *ctx, const idem_slow *one) {
    listing *l = ctx;
    if (l->json)
        show_slow_line(one);
    else
        show_slow_row(one);
    l->count++;
}

ctl_exit ctl_run_slow(ctl_session *session, ctl_ask *ask) {
    idem_error err = IDEM_ERROR_INIT;
    listing l = {.json = ask->json};
    int32_t code = idem_slow_get(session->uri_at_once, ask->args.timeout_ms,
                                 show_slow, &l, &err);
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    say_none(ask, l.count,
             "no iteration took over 10 ms, no reply was held "
             "for over 100 ms");
    return CTL_EXIT_DONE;
}
