/* SPDX-License-Identifier: Apache-2.0 */
/* match.c -- the handler that must not run twice, and what HTTP says of it.
 *
 * This is the file to read for how a service uses libidemclient: the key from
 * the header, a fingerprint of what it stands for, the work as a function, the
 * outcome as a status. The ledger stands for the service's own database. */
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
#define COST_MAX     1000000

/* One request on its way: what was asked, and under which key. */
typedef struct match {
    const match_service *service;
    const char *rehearse; /* NULL: play it straight */
    size_t key_len;
    char key[IDEM_HTTP_KEY_BYTES_MAX + 1];
    char user[LEDGER_USER_CHARS_MAX + 1];
    uint32_t cost;
    uint32_t attempt; /* set when it is played: which claim of the key, */
    int32_t previous; /* and how the one before it ended */
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

/* "sleep-300": take 300 ms longer, so that duplicates meet the first. */
static void rehearse_sleep(const match *m) {
    static const char word[] = "sleep-";
    if (m->rehearse == NULL || strncmp(m->rehearse, word, sizeof word - 1) != 0)
        return;
    unsigned long ms = strtoul(m->rehearse + sizeof word - 1, NULL, 10);
    ms = ms < SLEEP_MS_MAX ? ms : SLEEP_MS_MAX;
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

static void token_text(const idem_run *run, char text[static 33]) {
    idem_token token;
    idem_run_token(run, &token);
    for (size_t i = 0; i < sizeof token.bytes; i++)
        sprintf(text + 2 * i, "%02x", token.bytes[i]);
}

/* What is stored and replayed: the status, a line feed, the body. */
static int32_t finish(idem_run *run, const match *m, ledger_take_status status,
                      int64_t left) {
    bool taken = status != LEDGER_TOO_FEW;
    char stored[300];
    int len = snprintf(stored, sizeof stored,
                       "%s\n{%s\"user\":\"%s\",\"cost\":%" PRIu32
                       ",\"points_left\":%" PRId64 "}\n",
                       taken ? "200" : "402",
                       taken ? "" : "\"title\":\"Too few points\",", m->user,
                       m->cost, left);
    idem_run_set_result(run, stored, (size_t)len,
                        taken ? IDEM_CLASS_SUCCESS : IDEM_CLASS_ERROR);
    return IDEM_RUN_DONE;
}

/* Runs once per key. Whoever takes the key over after a crash runs it again,
 * and the ledger says whether the one before had come to the points. */
static int32_t play(idem_run *run, void *ctx) {
    match *m = ctx;
    char token[33];
    int64_t left = 0;
    token_text(run, token);
    m->attempt = idem_run_attempt(run);
    m->previous = idem_run_previous(run);
    rehearse_sleep(m);
    if (rehearses(m, "fail"))
        return IDEM_RUN_FAILED;
    if (rehearses(m, "die-before"))
        _exit(3);
    ledger_take_status status =
        ledger_take(m->service->ledger_path,
                    &(ledger_row){m->key, m->user, token, m->cost}, &left);
    if (rehearses(m, "die-after"))
        _exit(3);
    return status == LEDGER_FAILED ? IDEM_RUN_UNSURE
                                   : finish(run, m, status, left);
}

/* -------------------------------------------------------- the outcome */

static void answer_stored(web_answer *answer, const idem_answer *said) {
    const char *text = (const char *)said->result;
    unsigned status = 0;
    /* "200\n" and the body; the bytes have no NUL behind them. */
    for (size_t i = 0; i < 3 && i < said->result_len; i++)
        status = status * 10 + (unsigned)(text[i] - '0');
    if (said->result_len < 4 || text[3] != '\n' || status < 200 || status > 599)
        problem(answer, 500, "No answer kept",
                "The match was played; its answer could not be kept.");
    else
        web_answer_print(answer, status, status < 400 ? JSON : PROBLEM_JSON,
                         "%.*s", (int)said->result_len - 4, text + 4);
}

static void answer_http(web_answer *answer, const idem_http *http,
                        const char *body) {
    if (http->retry_after_s > 0)
        web_answer_header(answer, "Retry-After", "%" PRIu32,
                          http->retry_after_s);
    web_answer_print(answer, (unsigned)http->status, PROBLEM_JSON, "%.*s",
                     (int)http->body_len, body);
}

static void answer_outcome(web_answer *answer, const match *m,
                           const idem_answer *said) {
    char body[IDEM_HTTP_BODY_BYTES];
    idem_http http = {.size = sizeof http};
    if (m->attempt > 1)
        web_answer_header(answer, "X-Attempt", "%" PRIu32 ", previous %s",
                          m->attempt, idem_previous_name(m->previous));
    switch (said->outcome) {
    case IDEM_REPLAY:
        web_answer_header(answer, "Idempotency-Replayed", "true");
        answer_stored(answer, said);
        return;
    case IDEM_COMPLETED:
        answer_stored(answer, said);
        return;
    case IDEM_RELEASED:
        problem(answer, 500, "The match failed",
                "No points were taken. The same key may be sent again.");
        return;
    default: /* someone else holds it, it stands for something else, ... */
        if (idem_http_from_answer(said, body, sizeof body, &http) == IDEM_OK)
            answer_http(answer, &http, body);
    }
}

static void answer_error(web_answer *answer, const idem_error *err) {
    char body[IDEM_HTTP_BODY_BYTES];
    idem_http http = {.size = sizeof http};
    if (idem_http_from_error(err->code, body, sizeof body, &http) == IDEM_OK)
        answer_http(answer, &http, body);
    if (err->code != IDEM_E_KEY_MISSING && err->code != IDEM_E_KEY_MALFORMED)
        fprintf(stderr, "store: %s\n", err->text);
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

static int32_t read_key(const web_request *request, match *m) {
    const char *value = web_request_header(request, "Idempotency-Key");
    return idem_http_key(value, value == NULL ? 0 : strlen(value), m->key,
                         sizeof m->key - 1, &m->key_len);
}

static void run_match(const web_request *request, match *m,
                      web_answer *answer) {
    uint8_t fingerprint[IDEM_FINGERPRINT_BYTES];
    const idem_slice parts[] = {{request->method, strlen(request->method)},
                                {request->path, strlen(request->path)},
                                {request->body, request->body_bytes}};
    idem_fingerprint(parts, sizeof parts / sizeof parts[0], fingerprint);
    idem_args args = {.size = sizeof args,
                      .key = m->key,
                      .key_len = m->key_len,
                      .fingerprint = fingerprint,
                      .fingerprint_len = sizeof fingerprint,
                      .lease_ms = m->service->lease_ms,
                      .wait_ms = m->service->wait_ms};
    idem_answer said = {.size = sizeof said};
    idem_error err = {.size = sizeof err};
    if (idem_run_once(m->service->client, &args, play, m, &said, &err) ==
        IDEM_OK)
        answer_outcome(answer, m, &said);
    else
        answer_error(answer, &err);
    idem_answer_fini(&said);
}

void match_handle(void *ctx, const web_request *request, web_answer *answer) {
    const match_service *service = ctx;
    match m = {.service = service};
    web_answer_header(answer, "X-Backend", "%s", service->name);
    if (strcmp(request->path, "/match") != 0) {
        problem(answer, 404, "Not found", "There is POST /match.");
        return;
    }
    if (strcmp(request->method, "POST") != 0) {
        web_answer_header(answer, "Allow", "POST");
        problem(answer, 405, "Method not allowed", "There is POST /match.");
        return;
    }
    int32_t code = read_key(request, &m);
    if (code != IDEM_OK) {
        answer_error(answer, &(idem_error){.code = code});
        return;
    }
    if (!read_body(request, &m)) {
        problem(answer, 400, "Bad request",
                "The body is to be {'user': NAME, 'cost': POINTS}.");
        return;
    }
    m.rehearse =
        service->rehearse ? web_request_header(request, "X-Rehearse") : NULL;
    run_match(request, &m, answer);
}
