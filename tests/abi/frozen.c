/* SPDX-License-Identifier: Apache-2.0 */
/* frozen.c -- a program of the first header. It knows nothing of later ones,
 * and it is never edited: what it does must work with every later library.
 *
 *   frozen PORT      where a daemon listens
 *
 * Behind each struct that the library fills stands a fence of bytes. */
#include <idemclient.h>
#include <idemclient_admin.h>
#include <idemclient_http.h>
#include <idemclient_watch.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FENCE_BYTES 96
#define FENCED(type, name, init)          \
    struct {                              \
        type it;                          \
        unsigned char fence[FENCE_BYTES]; \
    } name = {init, {0}};                 \
    memset(name.fence, 0xA5, FENCE_BYTES)

static void check(int so, const char *what, int line) {
    if (so)
        return;
    fprintf(stderr, "frozen.c:%d: not so: %s\n", line, what);
    exit(1);
}
#define CHECK(so) check((so), #so, __LINE__)

static int whole(const unsigned char *fence) {
    for (int i = 0; i < FENCE_BYTES; i++)
        if (fence[i] != 0xA5)
            return 0;
    return 1;
}

static idem_client *client;
static char uri[128];

static idem_args args_of(const char *key) {
    idem_args args = IDEM_ARGS_INIT;
    args.key = key;
    args.key_len = strlen(key);
    return args;
}

static void a_key_lives(void) {
    FENCED(idem_answer, answer, IDEM_ANSWER_INIT);
    FENCED(idem_error, err, IDEM_ERROR_INIT);
    FENCED(idem_args, args, IDEM_ARGS_INIT);
    args.it.key = "life";
    args.it.key_len = 4;
    args.it.fingerprint = "body";
    args.it.fingerprint_len = 4;
    CHECK(idem_acquire(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_ACQUIRED && answer.it.attempt == 1);
    CHECK(answer.it.previous == IDEM_PREVIOUS_NONE);
    CHECK(answer.it.lease_ms == IDEM_LEASE_MS_DEFAULT);
    CHECK(answer.it.nonce_len == 16);
    args.it.token = answer.it.token;
    CHECK(idem_renew(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_RENEWED);
    args.it.result = "paid";
    args.it.result_len = 4;
    args.it.result_class = IDEM_CLASS_ERROR;
    CHECK(idem_complete(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_COMPLETED && answer.it.kept == 1);
    CHECK(idem_acquire(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_REPLAY && answer.it.result_len == 4);
    CHECK(memcmp(answer.it.result, "paid", 4) == 0);
    CHECK(answer.it.result_class == IDEM_CLASS_ERROR);
    CHECK(idem_peek(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_RECORD);
    CHECK(answer.it.state == IDEM_STATE_COMPLETED);
    CHECK(idem_release(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_STALE);
    args.it.fingerprint = "other";
    args.it.fingerprint_len = 5;
    CHECK(idem_acquire(client, &args.it, &answer.it, &err.it) == 0);
    CHECK(answer.it.outcome == IDEM_MISMATCH);
    args.it.key_len = 0;
    CHECK(idem_acquire(client, &args.it, &answer.it, &err.it) ==
          IDEM_E_ARGUMENT);
    CHECK(err.it.code == IDEM_E_ARGUMENT && err.it.text[0] != '\0');
    CHECK(err.it.assume == IDEM_ASSUME_UNCHANGED);
    CHECK(whole(answer.fence) && whole(err.fence) && whole(args.fence));
    idem_answer_fini(&answer.it);
    CHECK(whole(answer.fence));
}

static int32_t pay(idem_run *run, void *ctx) {
    idem_token token;
    idem_run_token(run, &token);
    *(int *)ctx += 1;
    CHECK(idem_run_attempt(run) == 1 && idem_run_lost(run) == 0);
    CHECK(idem_run_previous(run) == IDEM_PREVIOUS_NONE);
    CHECK(idem_run_set_result(run, "ran", 3, IDEM_CLASS_SUCCESS) == 0);
    return IDEM_RUN_DONE;
}

static int32_t leave(idem_run *run, void *ctx) {
    (void)run;
    (void)ctx;
    return IDEM_RUN_UNSURE;
}

static void a_function_runs_once(void) {
    int runs = 0;
    idem_args args = args_of("run");
    FENCED(idem_answer, answer, IDEM_ANSWER_INIT);
    FENCED(idem_http, http, IDEM_HTTP_INIT);
    CHECK(idem_run_once(client, &args, pay, &runs, &answer.it, NULL) == 0);
    CHECK(answer.it.outcome == IDEM_COMPLETED);
    CHECK(idem_run_once(client, &args, pay, &runs, &answer.it, NULL) == 0);
    CHECK(answer.it.outcome == IDEM_REPLAY && runs == 1);
    CHECK(idem_http_from_answer(&answer.it, NULL, 0, &http.it) == 0);
    CHECK(http.it.status == 200 && http.it.replayed == 1);
    args = args_of("left");
    CHECK(idem_run_once(client, &args, leave, NULL, &answer.it, NULL) == 0);
    CHECK(answer.it.outcome == IDEM_LEFT);
    CHECK(idem_http_from_error(IDEM_E_TIMEOUT, NULL, 0, &http.it) == 0);
    CHECK(http.it.status == 503 && whole(http.fence) && whole(answer.fence));
    idem_answer_fini(&answer.it);
}

static void the_server_tells_of_itself(void) {
    FENCED(idem_info, info, IDEM_INFO_INIT);
    FENCED(idem_replication, at, IDEM_REPLICATION_INIT);
    FENCED(idem_command_answer, told, IDEM_COMMAND_ANSWER_INIT);
    FENCED(idem_answer, counters, IDEM_ANSWER_INIT);
    idem_command_args command = IDEM_COMMAND_ARGS_INIT;
    const char *name;
    size_t name_len, walk = 0;
    uint64_t value;
    CHECK(idem_client_info(client, 0, &info.it, NULL) == 0);
    CHECK(info.it.protocol >= 1 && strcmp(info.it.role, "primary") == 0);
    CHECK(idem_replication_get(uri, 0, &at.it, NULL) == 0);
    CHECK(strcmp(at.it.role, "primary") == 0);
    command.command =
        IDEM_COMMAND_SWITCHOVER; /* there is nobody to switch to */
    CHECK(idem_command(uri, &command, &told.it, NULL) == 0);
    CHECK(told.it.outcome == IDEM_COMMAND_REFUSED && told.it.text[0] != '\0');
    CHECK(idem_stats(client, NULL, &counters.it, NULL) == 0);
    CHECK(idem_stats_next(&counters.it, &walk, &name, &name_len, &value) == 1);
    CHECK(whole(info.fence) && whole(at.fence) && whole(told.fence));
    CHECK(whole(counters.fence));
    idem_answer_fini(&counters.it);
}

static void count(void *ctx, const idem_event *event) {
    CHECK(event->event == IDEM_EVENT_CONNECTED && event->text[0] != '\0');
    *(int *)ctx += 1;
}

static void a_client_is_watched_and_shut_down(void) {
    idem_client *other = NULL;
    int events = 0;
    FENCED(idem_status, status, IDEM_STATUS_INIT);
    CHECK(idem_client_open(uri, &other, NULL) == 0);
    CHECK(idem_client_watch(other, count, &events) == 0);
    CHECK(idem_ping(other, NULL, NULL, NULL) == 0 && events > 0);
    CHECK(idem_client_status(other, &status.it) == 0);
    CHECK(status.it.connections > 0 && status.it.changes_wait == 0);
    idem_client_shutdown(other);
    CHECK(idem_ping(other, NULL, NULL, NULL) == IDEM_E_CLOSED);
    idem_client_close(other);
    CHECK(whole(status.fence));
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    (void)err;
    *(int32_t *)ctx = answer != NULL ? answer->outcome : -1;
}

static void a_connection_in_a_loop(void) {
    idem_conn *conn = NULL;
    int32_t heard = 0;
    idem_args args = args_of("loop");
    CHECK(idem_conn_open(uri, idem_now_ms(), &conn, NULL) == 0);
    CHECK(idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear,
                         &heard) == 0);
    while (heard == 0) {
        uint32_t wanted = idem_conn_wanted(conn);
        struct pollfd fd = {idem_conn_fd(conn), 0, 0};
        fd.events = (short)((wanted & IDEM_READ ? POLLIN : 0) |
                            (wanted & IDEM_WRITE ? POLLOUT : 0));
        poll(&fd, 1, idem_conn_timeout_ms(conn, idem_now_ms()));
        idem_conn_process(conn,
                          (fd.revents & POLLIN ? IDEM_READ : 0u) |
                              (fd.revents & POLLOUT ? IDEM_WRITE : 0u),
                          idem_now_ms());
    }
    CHECK(heard == IDEM_ACQUIRED);
    idem_conn_close(conn);
}

static void a_session_without_a_socket(void) {
    idem_session *session = NULL;
    int32_t heard = 0;
    size_t len = 0;
    idem_args args = args_of("bytes");
    CHECK(idem_session_new(&session) == 0);
    CHECK(idem_session_call(session, IDEM_PEEK, &args, 0, hear, &heard) == 0);
    CHECK(idem_session_output(session, &len) != NULL && len > 0);
    idem_session_sent(session, len);
    idem_session_tick(session, IDEM_TIMEOUT_MS_DEFAULT);
    CHECK(heard == -1);
    idem_session_free(session);
}

static void an_answer_is_stored_and_replayed(void) {
    FENCED(idem_http_answer, answer, IDEM_HTTP_ANSWER_INIT);
    FENCED(idem_http_answer, read, IDEM_HTTP_ANSWER_INIT);
    FENCED(idem_http_request, request, IDEM_HTTP_REQUEST_INIT);
    idem_http_header header = {{"ETag", 4}, {"1", 1}}, found;
    unsigned char bytes[64], fingerprint[IDEM_FINGERPRINT_BYTES];
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX];
    size_t len = 0;
    answer.it.status = 200;
    answer.it.headers = &header;
    answer.it.headers_count = 1;
    answer.it.body = "ok";
    answer.it.body_len = 2;
    CHECK(idem_http_pack(&answer.it, bytes, sizeof bytes, &len) == 0);
    CHECK(idem_http_unpack(bytes, len, &found, 1, &read.it) == 0);
    CHECK(read.it.status == 200 && read.it.body_len == 2);
    CHECK(found.name.len == 4 && memcmp(found.name.ptr, "etag", 4) == 0);
    CHECK(idem_http_unpack(bytes, len - 1, &found, 1, &read.it) ==
          IDEM_E_NOT_HTTP);
    request.it.method = request.it.target = (idem_slice){"/", 1};
    request.it.for_anyone = 1;
    CHECK(idem_http_store_key(&request.it, "k", 1, key, sizeof key, &len) == 0);
    CHECK(len == 2 + IDEM_HTTP_SCOPE_BYTES && memcmp(key, "k@", 2) == 0);
    CHECK(idem_http_fingerprint(&request.it, fingerprint) == 0);
    CHECK(idem_http_fate(200, IDEM_HTTP_HANDLER, 0) == IDEM_HTTP_STORE);
    CHECK(idem_http_may_pass(IDEM_E_CONNECT) == 1);
    CHECK(whole(answer.fence) && whole(read.fence) && whole(request.fence));
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%s/frozen", argv[1]);
    CHECK(idem_client_open(uri, &client, NULL) == 0);
    CHECK(idem_ping(client, NULL, NULL, NULL) == 0);
    a_key_lives();
    a_function_runs_once();
    the_server_tells_of_itself();
    a_client_is_watched_and_shut_down();
    a_connection_in_a_loop();
    a_session_without_a_socket();
    an_answer_is_stored_and_replayed();
    idem_client_close(client);
    printf("a program of the first header runs with %s\n", idem_version());
    return 0;
}
