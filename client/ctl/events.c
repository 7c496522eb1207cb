/* SPDX-License-Identifier: Apache-2.0 */
/* events.c -- what happens to keys, as it happens: a line each. A server that
 * goes is said, waited for, and watched anew. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"
#include "client/include/idemclient_look.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define AGAIN_MS 1000

static const struct {
    int32_t event;
    const char *name;
} names[] = {{IDEM_KEY_ACQUIRED, "acquired"},   {IDEM_KEY_RENEWED, "renewed"},
             {IDEM_KEY_COMPLETED, "completed"}, {IDEM_KEY_RELEASED, "released"},
             {IDEM_KEY_DELETED, "deleted"},     {IDEM_KEY_EXPIRED, "expired"},
             {IDEM_KEY_MISMATCH, "mismatch"},   {IDEM_KEY_STALE, "stale"},
             {IDEM_KEY_OTHER, "other"}};

static const char *name_of_event(int32_t event) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].event == event)
            return names[i].name;
    return "unknown";
}

static int32_t event_of_name(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].event != IDEM_KEY_OTHER &&
            strcmp(name, names[i].name) == 0)
            return names[i].event;
    return 0;
}

typedef struct observing {
    bool json, has_begun, is_unwritten;
    uint64_t count, count_max; /* count_max 0: without an end */
} observing;

/* When it was, by this machine's clock. */
static void put_event_time(uint64_t age_ms, char text[static 32]) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    ms -= ms > age_ms ? age_ms : ms;
    time_t s = (time_t)(ms / 1000);
    text[0] = '\0';
    if (gmtime_r(&s, &utc) == NULL)
        return;
    size_t len = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, 32 - len, ".%03uZ", (unsigned)(ms % 1000));
}

static void put_event_quoted(const uint8_t *bytes, size_t len) {
    putchar('"');
    report_escape(stdout, bytes, len);
    putchar('"');
}

static void show_event_row(const idem_key_event *one, const char *when) {
    printf("%s %-9s ", when, name_of_event(one->event));
    if (one->attempt > 0)
        printf("%4" PRIu32 " ", one->attempt);
    else
        fputs("   - ", stdout);
    put_event_quoted(one->ns, one->ns_len);
    putchar(' ');
    put_event_quoted(one->key, one->key_len);
    if (one->previous > IDEM_PREVIOUS_NONE)
        printf(" after it was %s", idem_previous_name(one->previous));
    if (one->user != NULL) {
        fputs(" by ", stdout);
        report_escape(stdout, (const uint8_t *)one->user, one->user_len);
    }
    putchar('\n');
}

static void show_event_line(const idem_key_event *one, const char *when) {
    report r = report_begin(stdout, true, "is", name_of_event(one->event));
    report_text(&r, "time", when);
    report_bytes(&r, "namespace", one->ns, one->ns_len);
    report_bytes(&r, "key", one->key, one->key_len);
    if (one->attempt > 0)
        report_number(&r, "attempt", one->attempt);
    if (one->previous != 0)
        report_text(&r, "previous", idem_previous_name(one->previous));
    if (one->user != NULL)
        report_bytes(&r, "by", (const uint8_t *)one->user, one->user_len);
    fputs("}\n", stdout);
}

static void show_lost(const observing *o, uint64_t lost) {
    if (o->json) {
        report r = report_begin(stdout, true, "is", "lost");
        report_number(&r, "events", lost);
        fputs("}\n", stdout);
    } else {
        printf("-- %" PRIu64 " events were lost: more came than were read\n",
               lost);
    }
}

static int32_t observe(void *ctx, const idem_key_event *one) {
    observing *o = ctx;
    char when[32];
    if (!o->has_begun && !o->json)
        fputs("idemctl: watching; what happens from now on is told\n", stderr);
    o->has_begun = true;
    if (one->event == IDEM_KEY_QUIET)
        return 0;
    put_event_time(one->age_ms, when);
    if (one->event == IDEM_KEY_LOST)
        show_lost(o, one->lost);
    else if (o->json)
        show_event_line(one, when);
    else
        show_event_row(one, when);
    o->is_unwritten = fflush(stdout) != 0 || ferror(stdout);
    o->count += one->event != IDEM_KEY_LOST;
    return o->is_unwritten || (o->count_max != 0 && o->count >= o->count_max);
}

static bool read_watch(ctl_ask *ask, idem_watch_args *args) {
    const char *kind = ctl_ask_text(ask, "kind");
    const char *prefix = ctl_ask_text(ask, "prefix");
    args->ns = ask->args.ns;
    args->ns_len = ask->args.ns_len;
    args->prefix = prefix;
    args->prefix_len = prefix != NULL ? strlen(prefix) : 0;
    args->timeout_ms = ask->args.timeout_ms;
    if (kind != NULL)
        args->event = event_of_name(kind);
    return kind == NULL || args->event != 0 ||
           ctl_why(ask, "--kind: acquired, renewed, completed, released, "
                        "deleted, expired, mismatch or stale");
}

/* It may be there again in a while, or has taken over: BAD_REQUEST. */
static bool may_begin_anew(const observing *o, int32_t code) {
    return o->has_begun &&
           (code == IDEM_E_CONNECT || code == IDEM_E_LOST ||
            code == IDEM_E_TIMEOUT || code == IDEM_E_SHUTTING_DOWN ||
            code == IDEM_E_BAD_REQUEST || code == IDEM_E_UNREPLICATED);
}

static void say_anew(const idem_error *err) {
    fputs("idemctl: ", stderr);
    report_escape(stderr, (const uint8_t *)err->text, strlen(err->text));
    fputs("; what comes meanwhile is not told\n", stderr);
}

ctl_exit ctl_run_watch(ctl_session *session, ctl_ask *ask) {
    const struct timespec again = {.tv_sec = AGAIN_MS / 1000};
    observing o = {.json = ask->json, .count_max = ask->watch_count};
    idem_watch_args args = IDEM_WATCH_ARGS_INIT;
    bool was_said = false;
    if (!read_watch(ask, &args))
        return ctl_usage_error(ask);
    for (;;) {
        idem_error err = IDEM_ERROR_INIT;
        uint64_t before = idem_now_ms();
        int32_t code =
            idem_watch_keys(session->uri_at_once, &args, observe, &o, &err);
        if (o.is_unwritten)
            return CTL_EXIT_UNWRITTEN;
        if (code == IDEM_OK)
            return CTL_EXIT_DONE;
        if (!may_begin_anew(&o, code))
            return ctl_say_error(ask, &err);
        if (!was_said || idem_now_ms() > before + AGAIN_MS)
            say_anew(&err);
        was_said = true;
        nanosleep(&again, NULL);
    }
}
