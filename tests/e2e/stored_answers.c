/* SPDX-License-Identifier: Apache-2.0 */
/* stored_answers.c -- what the example service stores, replays, and says of a
 * store that is away, or of a result that is no answer of HTTP.
 *
 *   stored_answers IDEMSTORED POINTS_SERVICE */
#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/include/idemclient_http.h"
#include "tests/e2e/harness.h"
#include "tests/e2e/http_call.h"

#define BODY "{\"user\":\"ann\",\"cost\":10}"

typedef struct service {
    child child;
    uint16_t port;
} service;

static char dir[] = "/tmp/idemstore-answers-XXXXXX";
static char ledger[sizeof dir + 16];
static daemon_t store;

static void start(service *s, const char *const *flags) {
    static unsigned starts;
    char name[32], uri[96];
    snprintf(name, sizeof name, "service-%u", ++starts);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/points?timeout_ms=1000",
             store.port);
    char *argv[24] = {(char *)flags[0], "--store", uri,
                      "--ledger",       ledger,    "--rehearse"};
    for (size_t i = 1, to = 6; flags[i] != NULL; i++)
        argv[to++] = (char *)flags[i];
    CHECK(child_start(&s->child, name, dir, argv), "the service");
    s->port = child_port(&s->child);
    CHECK(s->port != 0, "the service does not listen");
}

#define START(s, ...) start(s, (const char *const[]){__VA_ARGS__, NULL})

static http_reply reply;

/* more: further headers, each with its line end. */
static unsigned post(const service *s, const char *key, const char *more) {
    char headers[256];
    snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n%s", key, more);
    CHECK(
        http_post(&(http_call){s->port, "/match", headers, BODY, NULL}, &reply),
        "no answer");
    return reply.status;
}

static unsigned get(const service *s, const char *path) {
    CHECK(http_post(&(http_call){s->port, path, "", "", "GET"}, &reply),
          "no answer");
    return reply.status;
}

static bool has(const char *name, const char *value) {
    char text[128];
    return http_header(&reply, name, text, sizeof text) &&
           strcmp(text, value) == 0;
}

static bool says(const char *text) {
    return strstr(reply.body, text) != NULL;
}

static unsigned played(const service *s) {
    CHECK(get(s, "/matches") == 200, "%u", reply.status);
    return (unsigned)strtoul(strchr(reply.body, ':') + 1, NULL, 10);
}

/* ----------------------------------------------------------- the stories */

static void an_answer_is_replayed_with_its_headers(const service *a,
                                                   const service *b) {
    static http_reply first;
    CHECK(post(a, "whole", "") == 200, "%u", reply.status);
    CHECK(!has("Idempotency-Replayed", "true"), "the first one is a replay");
    first = reply;
    first.body = first.bytes + (reply.body - reply.bytes);
    CHECK(post(b, "whole", "") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true"), "it is no replay");
    CHECK(has("Content-Type", "application/json"), "another type");
    CHECK(has("Content-Language", "en"), "another language");
    CHECK(has("X-Backend", "b"), "a header that is not stored was");
    CHECK(http_body_same(&first, &reply), "another body");
}

static void a_long_answer_is_replayed_without_its_body(const service *a,
                                                       const service *b) {
    CHECK(post(a, "long", "X-Rehearse: note-4000\r\n") == 200, "%u",
          reply.status);
    CHECK(reply.body_bytes > 4000, "%zu", reply.body_bytes);
    CHECK(post(b, "long", "") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true; body=dropped"), "not so said");
    CHECK(has("Content-Type", "application/json"), "no headers");
    CHECK(reply.body_bytes == 0, "%zu", reply.body_bytes);
}

static void a_crash_after_the_effect_is_an_answer(const service *a,
                                                  const service *b) {
    unsigned before = played(a) + played(b);
    CHECK(post(a, "crash", "X-Rehearse: crash\r\n") == 500, "%u", reply.status);
    CHECK(post(b, "crash", "") == 500, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true"), "it ran again");
    CHECK(played(a) + played(b) == before + 1, "it ran again");
}

static void a_bad_request_is_not_stored(const service *a) {
    static const char headers[] = "Idempotency-Key: bad\r\n";
    unsigned before = played(a);
    http_post(&(http_call){a->port, "/match", headers, "{", NULL}, &reply);
    CHECK(reply.status == 400, "%u", reply.status);
    CHECK(post(a, "bad", "") == 200, "%u", reply.status);
    CHECK(played(a) == before + 1, "it did not run");
}

static void two_keys_are_none(const service *a) {
    unsigned before = played(a);
    CHECK(post(a, "one", "Idempotency-Key: other\r\n") == 400, "%u",
          reply.status);
    CHECK(says("key_malformed"), "%s", reply.body);
    CHECK(played(a) == before, "it ran");
}

static void store_key(const char *header,
                      char to[static IDEM_HTTP_STORE_KEY_BYTES_MAX + 1]) {
    size_t len;
    idem_http_request match = IDEM_HTTP_REQUEST_INIT;
    match.method = (idem_slice){"POST", 4};
    match.target = (idem_slice){"/match", 6};
    match.for_anyone = 1;
    CHECK(idem_http_store_key(&match, header, strlen(header), to,
                              IDEM_HTTP_STORE_KEY_BYTES_MAX, &len) == 0,
          "no key");
    to[len] = '\0';
}

/* Somebody stored a result under a key of HTTP. */
static void plant(const char *header, const void *result, size_t result_len) {
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX + 1];
    wire w;
    idp_answer answer;
    store_key(header, key);
    idp_request ask = ask_acquire(key, 60000, 600000);
    ask.ns = text_slice("points");
    CHECK(wire_open(&w, store.port), "no connection");
    CHECK(wire_call(&w, &ask, &answer) == 0, "no answer");
    CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED, "it is not free");
    ask = ask_complete(key, answer.token, "");
    ask.ns = text_slice("points");
    ask.result = (idp_slice){result, result_len};
    CHECK(wire_call(&w, &ask, &answer) == 0, "no answer");
    CHECK(answer.outcome == IDP_OUTCOME_COMPLETED, "not completed");
    wire_close(&w);
}

static void what_is_no_answer_is_a_500_that_says_so(const service *a) {
    static const char *const bad[] = {"200\n{}", "", "\x94\x01\xff\x90",
                                      "\xdd\xff\xff\xff\xff"};
    char key[16];
    unsigned before = played(a);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(key, sizeof key, "planted-%zu", i);
        plant(key, bad[i], strlen(bad[i]));
        CHECK(post(a, key, "") == 500, "%u", reply.status);
        CHECK(has("Content-Type", "application/problem+json"), "no problem");
        CHECK(says("\"not_http\""), "%s", reply.body);
    }
    plant("planted-nil", NULL, 0);
    CHECK(post(a, "planted-nil", "") == 500, "%u", reply.status);
    CHECK(says("\"not_http\""), "%s", reply.body);
    CHECK(played(a) == before, "it ran");
}

/* Bytes that another language's packer may write. */
static void an_answer_of_another_language_is_replayed(const service *a) {
    static const char other[] = "\x94\x01\xcd\x00\xc9\x92"
                                "\x92\xc4\x08location\xc4\x05/m/17"
                                "\x92\xa4"
                                "etag\xa3\"1\"\xa7"
                                "created";
    plant("other", other, sizeof other - 1);
    CHECK(post(a, "other", "") == 201, "%u", reply.status);
    CHECK(has("Location", "/m/17") && has("ETag", "\"1\""), "no headers");
    CHECK(reply.body_bytes == 7 && memcmp(reply.body, "created", 7) == 0,
          "another body");
}

/* ------------------------------------------------- while it is being made */

static idp_state state_of(const char *header) {
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX + 1];
    wire w;
    idp_answer answer = {.outcome = IDP_OUTCOME_COUNT};
    store_key(header, key);
    idp_request ask = {
        .method = IDP_PEEK, .ns = text_slice("points"), .key = text_slice(key)};
    CHECK(wire_open(&w, store.port), "no connection");
    CHECK(wire_call(&w, &ask, &answer) == 0, "no answer");
    wire_close(&w);
    return answer.state;
}

/* Asks for a streamed answer and reads until its first piece is there; the
 * connection. */
static int first_piece(const service *s, const char *key, char *text,
                       size_t cap) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(s->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[512];
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "no service");
    int bytes = snprintf(request, sizeof request,
                         "POST /match HTTP/1.1\r\nHost: localhost\r\n"
                         "Connection: close\r\nContent-Length: %zu\r\n"
                         "Idempotency-Key: %s\r\nX-Rehearse: stream-1500\r\n"
                         "\r\n%s",
                         strlen(BODY), key, BODY);
    CHECK(send(fd, request, (size_t)bytes, MSG_NOSIGNAL) == bytes, "not sent");
    do {
        ssize_t got = recv(fd, text + len, cap - 1 - len, 0);
        CHECK(got > 0, "it ended before its first piece");
        len += (size_t)got;
        text[len] = '\0';
    } while (strstr(text, "\"match\"") == NULL);
    return fd;
}

static void an_answer_is_sent_as_it_comes_and_replayed_whole(const service *a,
                                                             const service *b) {
    static char text[4096];
    size_t len;
    int fd = first_piece(a, "streamed", text, sizeof text);
    CHECK(state_of("streamed") == IDP_STATE_IN_PROGRESS,
          "the first piece came when all of it was done");
    len = strlen(text);
    for (ssize_t got = 1; got > 0; len += (size_t)got) {
        got = recv(fd, text + len, sizeof text - 1 - len, 0);
        CHECK(got >= 0, "it was cut off");
    }
    text[len] = '\0';
    close(fd);
    CHECK(strstr(text, "\r\n0\r\n") != NULL, "its end has not come: %s", text);
    CHECK(post(b, "streamed", "") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true"), "no replay");
    CHECK(reply.body[0] == '{' && reply.body[reply.body_bytes - 2] == '}',
          "not all of it: %s", reply.body);
}

static void await_completed(const char *key) {
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (state_of(key) != IDP_STATE_COMPLETED) {
        CHECK(e2e_now_ms() < until_ms, "never completed");
        e2e_sleep_ms(20);
    }
}

static void who_leaves_in_the_middle_finds_all_of_it_later(const service *a) {
    static char text[4096];
    unsigned before = played(a);
    close(first_piece(a, "leaves", text, sizeof text));
    await_completed("leaves");
    CHECK(post(a, "leaves", "") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true"), "no replay");
    CHECK(reply.body[reply.body_bytes - 2] == '}', "not all of it: %s",
          reply.body);
    CHECK(played(a) == before + 1, "it ran again");
}

static void a_streamed_one_over_the_limit_loses_its_body(const char *program) {
    service s;
    START(&s, program, "--answer-bytes", "60");
    CHECK(post(&s, "cut", "X-Rehearse: stream-1\r\n") == 200, "%u",
          reply.status);
    CHECK(says("points_left"), "%s", reply.body);
    CHECK(post(&s, "cut", "") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true; body=dropped"), "not so said");
    child_stop(&s.child);
}

static void one_users_key_is_not_anothers(const char *program) {
    service s;
    START(&s, program, "--principal", "X-User");
    CHECK(post(&s, "mine", "X-User: ann\r\n") == 200, "%u", reply.status);
    CHECK(post(&s, "mine", "X-User: bob\r\n") == 200, "%u", reply.status);
    CHECK(!has("Idempotency-Replayed", "true"), "bob has seen ann's answer");
    CHECK(post(&s, "mine", "X-User: ann\r\n") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true"), "ann has not seen her own");
    CHECK(post(&s, "mine", "") == 401, "%u", reply.status);
    CHECK(played(&s) == 2, "%u", played(&s));
    child_stop(&s.child);
}

static void without_the_store(const service *closed, const service *open) {
    CHECK(post(open, "whole", "") == 200, "%u", reply.status);
    CHECK(has("Idempotency-Replayed", "true"), "open asks as well");
    daemon_stop(&store);
    unsigned before = played(closed);
    CHECK(post(closed, "away", "") == 503, "%u", reply.status);
    CHECK(has("Retry-After", "1"), "no Retry-After");
    CHECK(played(closed) == before, "it ran");
    for (unsigned i = 0; i < 3; i++) {
        CHECK(post(open, "away", "") == 200, "%u", reply.status);
        CHECK(!has("Idempotency-Replayed", "true"), "a replay of what?");
    }
    CHECK(get(open, "/health") == 200, "%u", reply.status);
    CHECK(says("\"on_unavailable\":\"open\",\"let_through\":3"), "%s",
          reply.body);
    CHECK(get(closed, "/health") == 200, "%u", reply.status);
    CHECK(says("\"on_unavailable\":\"closed\",\"let_through\":0"), "%s",
          reply.body);
}

/* Open does not mean: whatever the store says. */
static void open_holds_what_the_store_says(const service *open) {
    static const char headers[] = "Idempotency-Key: whole\r\n";
    unsigned before = played(open);
    http_post(&(http_call){open->port, "/match", headers,
                           "{\"user\":\"ann\",\"cost\":11}", NULL},
              &reply);
    CHECK(reply.status == 422, "%u", reply.status);
    CHECK(played(open) == before, "it ran");
}

static void remove_folder(void) {
    char path[sizeof dir + NAME_MAX + 1];
    DIR *folder = opendir(dir);
    for (struct dirent *at; folder != NULL && (at = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, at->d_name);
        unlink(path);
    }
    if (folder != NULL)
        closedir(folder);
    rmdir(dir);
}

int main(int argc, char **argv) {
    service a, b, open;
    CHECK(argc == 3, "usage: stored_answers IDEMSTORED POINTS_SERVICE");
    CHECK(mkdtemp(dir) != NULL, "no folder");
    snprintf(ledger, sizeof ledger, "%s/ledger", dir);
    daemon_start(&store, &(daemon_spec){.program = argv[1]});
    START(&a, argv[2], "--name", "a", "--answer-bytes", "4000");
    START(&b, argv[2], "--name", "b");
    START(&open, argv[2], "--on-unavailable", "open");
    an_answer_is_replayed_with_its_headers(&a, &b);
    a_long_answer_is_replayed_without_its_body(&a, &b);
    a_crash_after_the_effect_is_an_answer(&a, &b);
    a_bad_request_is_not_stored(&a);
    two_keys_are_none(&a);
    what_is_no_answer_is_a_500_that_says_so(&a);
    an_answer_of_another_language_is_replayed(&a);
    an_answer_is_sent_as_it_comes_and_replayed_whole(&a, &b);
    who_leaves_in_the_middle_finds_all_of_it_later(&a);
    a_streamed_one_over_the_limit_loses_its_body(argv[2]);
    one_users_key_is_not_anothers(argv[2]);
    open_holds_what_the_store_says(&open);
    without_the_store(&a, &open);
    child_stop(&a.child);
    child_stop(&b.child);
    child_stop(&open.child);
    remove_folder();
    puts("all of it held");
    return 0;
}
