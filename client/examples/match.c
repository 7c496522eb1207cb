/* SPDX-License-Identifier: Apache-2.0 */
/* match.c -- the handler that must not run twice.
 *
 * The ledger stands for the service's own database. How a request gets here at
 * most once per key, and what others hear, is in once.c. */
#include "client/examples/match.h"

#include "client/examples/ledger.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JSON         "application/json"
#define PROBLEM_JSON "application/problem+json"
#define SLEEP_MS_MAX 60000
#define NOTE_MAX     (2 * IDEM_HTTP_RESULT_BYTES_MAX)
#define COST_MAX     1000000
#define PIECES       4

/* One request on its way: what was asked. */
typedef struct match {
    match_service *service;
    const char *rehearse; /* NULL: play it straight */
    char user[LEDGER_USER_CHARS_MAX + 1];
    uint32_t cost;
} match;

static void problem(web_answer *answer, unsigned status, const char *title,
                    const char *detail) {
    web_answer_print(answer, status, PROBLEM_JSON,
                     "{\"type\":\"about:blank\",\"title\":\"%s\","
                     "\"status\":%u,\"detail\":\"%s\"}\n",
                     title, status, detail);
}

/* ------------------------------------------------------------ the work */

static bool rehearses(const match *m, const char *what) {
    return m->rehearse != NULL && strcmp(m->rehearse, what) == 0;
}

/* The number of "sleep-300", say; 0 when something else is rehearsed. */
static unsigned long rehearsed(const match *m, const char *word,
                               unsigned long max) {
    size_t len = strlen(word);
    if (m->rehearse == NULL || strncmp(m->rehearse, word, len) != 0)
        return 0;
    unsigned long number = strtoul(m->rehearse + len, NULL, 10);
    return number < max ? number : max;
}

/* Takes so much longer, so that duplicates meet the first. */
static void rehearse_sleep(const match *m) {
    unsigned long ms = rehearsed(m, "sleep-", SLEEP_MS_MAX);
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* A piece at a time: "stream-500" has 500 ms between two. */
static void tell_in_pieces(const char *text, size_t len, unsigned long ms,
                           web_answer *answer) {
    size_t part = len / PIECES + 1;
    for (size_t at = 0; at < len; at += part) {
        struct timespec left = {(time_t)(ms / 1000),
                                (long)(ms % 1000) * 1000000};
        while (at > 0 && nanosleep(&left, &left) != 0)
            continue;
        web_answer_piece(answer, text + at, len - at < part ? len - at : part);
    }
}

/* The match has its token as its number: no other one will have it. */
static void tell_played(const match *m, const once_claim *claim, bool taken,
                        int64_t left, web_answer *answer) {
    unsigned long note = rehearsed(m, "note-", NOTE_MAX);
    unsigned long stream_ms = rehearsed(m, "stream-", SLEEP_MS_MAX);
    web_answer_header(answer, "Content-Language", "en");
    web_answer_print(answer, taken ? 200 : 402, taken ? JSON : PROBLEM_JSON,
                     "{%s\"match\":\"%s\",\"user\":\"%s\",\"cost\":%" PRIu32
                     ",\"points_left\":%" PRId64 "%s%*s%s}\n",
                     taken ? "" : "\"title\":\"Too few points\",", claim->token,
                     m->user, m->cost, left, note > 0 ? ",\"note\":\"" : "",
                     (int)note, "", note > 0 ? "\"" : "");
    if (stream_ms == 0 || answer->body == NULL)
        return;
    char *text = answer->body;
    size_t len = answer->body_bytes;
    answer->body = NULL;
    answer->body_bytes = 0;
    tell_in_pieces(text, len, stream_ms, answer);
    free(text);
}

/* Runs once per key. Whoever takes the key over after a crash runs it again,
 * and the ledger says whether the one before had come to the points. */
static int32_t play(void *ctx, const once_claim *claim, web_answer *answer) {
    match *m = ctx;
    int64_t left = 0;
    atomic_fetch_add(&m->service->played, 1);
    rehearse_sleep(m);
    if (rehearses(m, "fail")) {
        problem(answer, 500, "The match failed",
                "No points were taken. The same key may be sent again.");
        return IDEM_HTTP_RETRYABLE;
    }
    if (rehearses(m, "die-before"))
        _exit(3);
    ledger_row row = {claim->key, m->user, claim->token, m->cost};
    ledger_take_status status =
        ledger_take(m->service->ledger_path, &row, &left);
    if (rehearses(m, "die-after"))
        _exit(3);
    if (status == LEDGER_FAILED)
        return IDEM_HTTP_LOST;
    if (rehearses(m, "crash")) { /* as an exception would, after the effect */
        problem(answer, 500, "The match crashed", "An exception, say.");
        return IDEM_HTTP_HANDLER;
    }
    tell_played(m, claim, status != LEDGER_TOO_FEW, left, answer);
    return IDEM_HTTP_HANDLER;
}

/* -------------------------------------------------------- the request */

static bool read_body(const web_request *request, match *m) {
    cJSON *json = cJSON_ParseWithLength(request->body, request->body_bytes);
    const char *user =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "user"));
    const cJSON *cost = cJSON_GetObjectItemCaseSensitive(json, "cost");
    bool valid = user != NULL && ledger_user_valid(user) &&
                 cJSON_IsNumber(cost) && cost->valuedouble >= 1 &&
                 cost->valuedouble <= COST_MAX;
    if (valid) {
        snprintf(m->user, sizeof m->user, "%s", user);
        m->cost = (uint32_t)cost->valuedouble;
    }
    cJSON_Delete(json);
    return valid;
}

/* What is wrong with the request itself is said before there is a claim. */
static void post_match(match_service *service, const web_request *request,
                       web_answer *answer) {
    match m = {.service = service};
    if (!read_body(request, &m)) {
        problem(answer, 400, "Bad request",
                "The body is to be {'user': NAME, 'cost': POINTS}.");
        return;
    }
    m.rehearse =
        service->rehearse ? web_request_header(request, "X-Rehearse") : NULL;
    once_handle(&service->once, request, play, &m, answer);
}

void match_handle(void *ctx, const web_request *request, web_answer *answer) {
    match_service *service = ctx;
    bool is_get = strcmp(request->method, "GET") == 0;
    web_answer_header(answer, "X-Backend", "%s", service->name);
    if (is_get && strcmp(request->path, "/matches") == 0) {
        web_answer_print(answer, 200, JSON, "{\"played\":%u}\n",
                         atomic_load(&service->played));
    } else if (is_get && strcmp(request->path, "/health") == 0) {
        once_health(&service->once, answer);
    } else if (strcmp(request->path, "/match") != 0) {
        problem(answer, 404, "Not found",
                "There is POST /match, GET /matches, GET /health.");
    } else if (strcmp(request->method, "POST") != 0) {
        web_answer_header(answer, "Allow", "POST");
        problem(answer, 405, "Method not allowed", "There is POST /match.");
    } else {
        post_match(service, request, answer);
    }
}
