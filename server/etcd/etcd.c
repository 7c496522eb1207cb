/* SPDX-License-Identifier: Apache-2.0 */
/* etcd.c -- see etcd.h: libcurl's side of it. */
#include "server/etcd/etcd.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_BYTES = 320 };

typedef enum stage { FREE, ASKS_TOKEN, ASKS, ANSWERED } stage;

typedef struct call {
    ids_etcd *etcd;
    stage stage;
    ids_agent_act act;
    ids_etcd_answer answer; /* once it is ANSWERED */
    CURL *easy;
    struct curl_slist *headers;
    char *sent;
    char *body; /* so far */
    size_t len;
    bool too_large;
} call;

struct ids_etcd {
    ids_etcd_config config;
    CURLM *multi;
    call calls[IDS_ETCD_CALLS_MAX];
    uint32_t endpoint;                /* where the next one goes */
    char token[IDS_ETCD_TOKEN_BYTES]; /* "": none */
    /* What could not even be asked. */
    ids_etcd_answer lost[IDS_ETCD_CALLS_MAX];
    uint32_t lost_count;
};

/* --- one transfer ----------------------------------------------------------
 */

static size_t take_answer_bytes(char *bytes, size_t one, size_t count,
                                void *ctx) {
    call *c = ctx;
    size_t len = one * count;
    if (len > IDS_ETCD_BODY_BYTES_MAX - c->len) {
        c->too_large = true;
        return 0; /* ends it */
    }
    char *body = realloc(c->body, c->len + len + 1);
    if (!body)
        return 0;
    memcpy(body + c->len, bytes, len);
    c->body = body;
    c->len += len;
    return len;
}

static void clear_transfer(call *c) {
    if (c->easy) {
        curl_multi_remove_handle(c->etcd->multi, c->easy);
        curl_easy_cleanup(c->easy);
    }
    curl_slist_free_all(c->headers);
    free(c->sent);
    free(c->body);
    c->easy = NULL;
    c->headers = NULL;
    c->sent = c->body = NULL;
    c->len = 0;
    c->too_large = false;
}

static bool add_header(call *c, const char *text) {
    struct curl_slist *more = curl_slist_append(c->headers, text);
    if (more)
        c->headers = more;
    return more != NULL;
}

static bool set_headers(call *c) {
    char token[IDS_ETCD_TOKEN_BYTES + 32];
    snprintf(token, sizeof token, "Authorization: %s", c->etcd->token);
    /* No "Expect: 100-continue", which costs a round. */
    return add_header(c, "Content-Type: application/json") &&
           add_header(c, "Expect:") &&
           (!c->etcd->token[0] || c->stage == ASKS_TOKEN ||
            add_header(c, token));
}

static bool set_tls(CURL *easy, const ids_etcd_config *config) {
    const char *key = config->key ? config->key : config->cert;
    bool good = true;
    if (config->ca)
        good = curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca) == CURLE_OK;
    if (config->cert)
        good =
            good &&
            curl_easy_setopt(easy, CURLOPT_SSLCERT, config->cert) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_SSLKEY, key) == CURLE_OK;
    return good && curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                                    (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
}

static bool set_limits(CURL *easy, long call_ms) {
    return curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, call_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
}

static bool start(call *c, ids_etcd_request request) {
    ids_etcd *etcd = c->etcd;
    char url[URL_BYTES];
    int len = snprintf(url, sizeof url, "%s%s",
                       etcd->config.endpoint[etcd->endpoint], request.path);
    c->sent = request.body;
    c->easy = curl_easy_init();
    CURL *easy = c->easy;
    return c->sent && easy && len > 0 && (size_t)len < sizeof url &&
           set_headers(c) &&
           set_limits(easy, c->stage == ASKS_TOKEN ? IDS_ETCD_TOKEN_MS
                                                   : IDS_AGENT_CALL_MS) &&
           set_tls(easy, &etcd->config) &&
           curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, c->sent) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer_bytes) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, c) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, c) == CURLE_OK &&
           curl_multi_add_handle(etcd->multi, easy) == CURLM_OK;
}

/* --- a call ----------------------------------------------------------------
 */

static void answer(call *c, long status, const char *body, size_t len) {
    ids_etcd_read_answer(&c->answer, &c->act, c->etcd->config.prefix, status,
                         body, len);
    c->stage = ANSWERED;
}

static bool gets_token(const ids_etcd *etcd) {
    for (int i = 0; i < IDS_ETCD_CALLS_MAX; i++)
        if (etcd->calls[i].stage == ASKS_TOKEN)
            return true;
    return false;
}

static void begin(call *c) {
    const ids_etcd_config *config = &c->etcd->config;
    bool asks_token = config->user && !c->etcd->token[0];
    if (asks_token && gets_token(c->etcd)) {
        answer(c, 0, "", 0);
        snprintf(c->answer.why, sizeof c->answer.why, "a token is being got");
        return;
    }
    c->stage = asks_token ? ASKS_TOKEN : ASKS;
    ids_etcd_request request =
        asks_token ? ids_etcd_request_token(config->user, config->password)
                   : ids_etcd_request_of(&c->act, config->prefix, &config->node,
                                         config->lease_ms);
    if (start(c, request))
        return;
    clear_transfer(c);
    answer(c, 0, "", 0);
}

void ids_etcd_ask(ids_etcd *etcd, const ids_agent_act *act) {
    assert(ids_etcd_serves(act->kind) && !act->blind);
    for (int i = 0; i < IDS_ETCD_CALLS_MAX; i++) {
        call *c = &etcd->calls[i];
        if (c->stage != FREE)
            continue;
        c->act = *act;
        begin(c);
        return;
    }
    if (etcd->lost_count < IDS_ETCD_CALLS_MAX)
        etcd->lost[etcd->lost_count++] =
            (ids_etcd_answer){.call = act->call,
                              .kind = act->kind,
                              .outcome = IDS_ETCD_NO_ANSWER};
}

static void take_token(call *c, long status) {
    ids_etcd *etcd = c->etcd;
    ids_etcd_outcome outcome =
        ids_etcd_read_token(etcd->token, status, c->body, c->len);
    if (outcome == IDS_ETCD_OK) {
        clear_transfer(c);
        c->stage = FREE;
        begin(c);
        return;
    }
    /* What was asked for was not asked. */
    answer(c, status == 200 ? 0 : status, c->body, c->len);
    c->answer.outcome = outcome;
    clear_transfer(c);
}

/* An answer of nothing at all is how a token that has ended shows, too. */
static bool ends_token(const call *c, long status) {
    return c->answer.outcome == IDS_ETCD_TOKEN || (status == 200 && !c->len);
}

static void go_elsewhere(ids_etcd *etcd) {
    etcd->endpoint = (etcd->endpoint + 1) % etcd->config.endpoint_count;
}

static void end_call(call *c, CURLcode result) {
    long status = 0;
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK && !c->too_large)
        status = 0;
    const char *why = curl_easy_strerror(result);
    if (status == 0 || status >= 500)
        go_elsewhere(c->etcd);
    if (c->stage == ASKS_TOKEN) {
        take_token(c, status);
        return;
    }
    answer(c, status, c->too_large ? "" : c->body, c->too_large ? 0 : c->len);
    if (ends_token(c, status) || result == CURLE_GOT_NOTHING)
        c->etcd->token[0] = 0;
    if (status == 0)
        snprintf(c->answer.why, sizeof c->answer.why, "%s", why);
    clear_transfer(c);
}

/* --- all of it -------------------------------------------------------------
 */

ids_etcd *ids_etcd_new(const ids_etcd_config *config) {
    assert(config->endpoint_count > 0 &&
           config->endpoint_count <= IDS_ETCD_ENDPOINTS_MAX);
    assert(strlen(config->prefix) < IDS_ETCD_PREFIX_BYTES);
    assert(!config->user || config->password);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    ids_etcd *etcd = calloc(1, sizeof *etcd);
    CURLM *multi = curl_multi_init();
    if (!etcd || !multi) {
        free(etcd);
        curl_multi_cleanup(multi);
        curl_global_cleanup();
        return NULL;
    }
    etcd->config = *config;
    etcd->multi = multi;
    for (int i = 0; i < IDS_ETCD_CALLS_MAX; i++)
        etcd->calls[i].etcd = etcd;
    return etcd;
}

void ids_etcd_free(ids_etcd *etcd) {
    if (!etcd)
        return;
    for (int i = 0; i < IDS_ETCD_CALLS_MAX; i++)
        clear_transfer(&etcd->calls[i]);
    curl_multi_cleanup(etcd->multi);
    explicit_bzero(etcd->token, sizeof etcd->token);
    free(etcd);
    curl_global_cleanup();
}

static void work(ids_etcd *etcd) {
    int running, left;
    curl_multi_perform(etcd->multi, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(etcd->multi, &left));) {
        call *c = NULL;
        CURLcode result = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        assert(c && c->easy == m->easy_handle);
        end_call(c, result);
    }
}

bool ids_etcd_next(ids_etcd *etcd, ids_etcd_answer *to) {
    work(etcd);
    if (etcd->lost_count > 0) {
        *to = etcd->lost[--etcd->lost_count];
        return true;
    }
    for (int i = 0; i < IDS_ETCD_CALLS_MAX; i++) {
        call *c = &etcd->calls[i];
        if (c->stage != ANSWERED)
            continue;
        *to = c->answer;
        c->stage = FREE;
        return true;
    }
    return false;
}

void ids_etcd_wait_with(ids_etcd *etcd, const int *fds, size_t count,
                        int wait_ms) {
    struct curl_waitfd more[IDS_ETCD_FDS_MAX];
    assert(count <= IDS_ETCD_FDS_MAX);
    for (size_t i = 0; i < count; i++)
        more[i] =
            (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
    curl_multi_poll(etcd->multi, more, (unsigned)count, wait_ms, NULL);
    work(etcd);
}

void ids_etcd_wait(ids_etcd *etcd, int wait_ms) {
    ids_etcd_wait_with(etcd, NULL, 0, wait_ms);
}
