/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c -- which of two servers brought more back, when both have died:
 * what each says of its records, and one sentence.
 *
 * It goes by counts, part by part of the keys, and by last tokens. Key by key
 * only two folders can be compared (idemctl check). */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <stdlib.h>
#include <string.h>

typedef enum verdict { SAME, FIRST, SECOND, EACH, UNKNOWN } verdict;

static const char *const words[] = {"same", "first", "second", "each",
                                    "unknown"};

#define KEEP_THE_OTHER                                                      \
    "with --accept-loss, keep a copy of the other one's folder, which may " \
    "have what counts don't show, and start it as the replica"

static const char *const sentences[] = {
    [SAME] = "both hold the same records: take either",
    [FIRST] = ("the first server holds more, by its counts and its last "
               "tokens: promote that one " KEEP_THE_OTHER),
    [SECOND] = ("the second server holds more, by its counts and its last "
                "tokens: promote that one " KEEP_THE_OTHER),
    [EACH] = ("each holds something that the other one lacks: whichever is "
              "promoted, what only the other one has is lost; compare their "
              "folders with idemctl check, and keep the other one"),
    [UNKNOWN] = ("their records differ, and counts and tokens do not say which "
                 "has more: compare their folders with idemctl check")};

typedef struct weight {
    bool first, second; /* it has something that the other one has not */
} weight;

static void weigh(weight *w, uint64_t first, uint64_t second) {
    w->first = w->first || first > second;
    w->second = w->second || second > first;
}

/* Of one epoch tokens are given out in order; between two epochs they do not
 * tell who lacks what. */
static void weigh_tokens(weight *w, const idem_replication *a,
                         const idem_replication *b) {
    for (uint32_t i = 0; i < IDEM_STREAMS_MAX; i++)
        if (a->token_epoch == b->token_epoch)
            weigh(w, i < a->tokens_count ? a->tokens[i] : 0,
                  i < b->tokens_count ? b->tokens[i] : 0);
}

/* Where each lacks something of the other's, that is hardly ever so in the same
 * parts and as much. */
static verdict compare(const idem_replication *a, const idem_replication *b) {
    weight w = {false, false};
    if (a->records == b->records && strcmp(a->contents, b->contents) == 0)
        return SAME;
    weigh_tokens(&w, a, b);
    for (uint32_t i = 0; i < a->parts_count && i < b->parts_count; i++) {
        weigh(&w, a->parts[i].records, b->parts[i].records);
        weigh(&w, a->parts[i].completed, b->parts[i].completed);
    }
    if (w.first && w.second)
        return EACH;
    return w.first ? FIRST : w.second ? SECOND : UNKNOWN;
}

static void say_side(report *r, const char *side, const idem_replication *at) {
    char name[32];
    snprintf(name, sizeof name, "%s_records", side);
    report_number(r, name, at->records);
    snprintf(name, sizeof name, "%s_completed", side);
    report_number(r, name, at->completed);
    snprintf(name, sizeof name, "%s_token_epoch", side);
    report_number(r, name, at->token_epoch);
    snprintf(name, sizeof name, "%s_tokens", side);
    report_list(r, name);
    for (uint32_t i = 0; i < at->tokens_count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)at->tokens[i]);
        report_item(r, i, text);
    }
    report_list_end(r, at->tokens_count);
}

static ctl_exit say_takes_part(const ctl_ask *ask, const char *side,
                               const idem_replication *at) {
    char text[512];
    bool is_primary = strcmp(at->role, "primary") == 0;
    snprintf(text, sizeof text,
             "the %s server %s: its records are not what it brought back any "
             "more%s",
             side,
             is_primary ? "leads" : "has followed a primary since its start",
             is_primary ? "; whoever follows it takes its copy" : "");
    report r = report_begin(stdout, ask->json, "more", words[UNKNOWN]);
    report_text(&r, "text", text);
    report_end(&r);
    return CTL_EXIT_REFUSED;
}

static bool ask_for(const char *uri, const ctl_ask *ask, idem_replication *at,
                    idem_error *err) {
    *at = (idem_replication){.size = sizeof *at};
    return uri != NULL &&
           idem_replication_get(uri, ask->args.timeout_ms, at, err) == IDEM_OK;
}

ctl_exit ctl_run_compare(const ctl_session *session, ctl_ask *ask) {
    idem_replication first, second;
    idem_error err = {.size = sizeof err};
    char *other = ctl_uri_at_once(ask->operands[0]);
    bool good = ask_for(session->uri_at_once, ask, &first, &err) &&
                ask_for(other, ask, &second, &err);
    free(other);
    if (!good)
        return ctl_say_error(ask, &err);
    if (first.contents[0] == '\0')
        return say_takes_part(ask, "first", &first);
    if (second.contents[0] == '\0')
        return say_takes_part(ask, "second", &second);
    verdict is = compare(&first, &second);
    report r = report_begin(stdout, ask->json, "more", words[is]);
    report_text(&r, "text", sentences[is]);
    say_side(&r, "first", &first);
    say_side(&r, "second", &second);
    report_end(&r);
    return CTL_EXIT_DONE;
}
