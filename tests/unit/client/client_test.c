/* client_test.c -- the blocking client against a server that misbehaves on
 * purpose: what it tries again, with what, and what it says in the end. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "tests/unit/client/fake.h"

/* What the server has seen, and what it is told to do with each request. */
typedef struct script {
    _Atomic int requests;
    fake_reply replies[8]; /* the n-th one; the last goes on */
    int replies_count;
    idp_method methods[8];
    uint8_t nonces[8][IDP_NONCE_BYTES_MAX];
    size_t nonce_lens[8];
    uint32_t waits[8];
    idp_token tokens[8];
    bool had_result[8];
} script;

static void follow(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    script *script_of = ctx;
    (void)link;
    int n = atomic_load(&script_of->requests);
    int last = script_of->replies_count - 1;
    *reply = script_of->replies[n < last ? n : last];
    if (n < 8) {
        script_of->methods[n] = request->method;
        script_of->nonce_lens[n] = request->nonce.len;
        if (request->nonce.len > 0)
            memcpy(script_of->nonces[n], request->nonce.ptr,
                   request->nonce.len);
        script_of->waits[n] = request->wait_ms;
        script_of->tokens[n] = request->token;
        script_of->had_result[n] = request->result.ptr != NULL;
    }
    atomic_fetch_add(&script_of->requests, 1);
}

static fake_reply answer_with(idp_answer answer) {
    return (fake_reply){.action = FAKE_ANSWER, .answer = answer};
}

static fake_reply refuse_with(idp_error error, const char *text) {
    return (fake_reply){.action = FAKE_REFUSE, .error = error, .text = text};
}

static fake_server *serve(script *script_of) {
    fake_config config = {.script = follow, .ctx = script_of};
    return fake_start(&config);
}

static idem_client *open_client(const char *uri) {
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_client_open(uri, &client, &err), 0, "%s", err.text);
    return client;
}

static idem_args args_of(const char *key) {
    return (idem_args){
        .size = sizeof(idem_args), .key = key, .key_len = strlen(key)};
}

Test(client, acquires_completes_and_hears_the_replay) {
    script s = {.replies = {answer_with(fake_acquired(5)),
                            answer_with(fake_completed(true)),
                            answer_with(fake_replay("points", 6))},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_ACQUIRED);
    args.token = answer.token;
    args.result = "points";
    args.result_len = 6;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
    cr_assert_eq(answer.kept, 1);
    cr_assert_eq(s.tokens[1].sequence, 5);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_REPLAY);
    cr_assert_eq(answer.result_len, 6);
    cr_assert_eq(memcmp(answer.result, "points", 6), 0);
    cr_assert_eq(fake_links(server), 1);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_lost_acquire_is_asked_again_with_its_nonce_and_what_is_left) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            {.action = FAKE_HANG_UP},
                            answer_with(fake_acquired(5))},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.wait_ms = 60000;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_ACQUIRED);
    cr_assert_eq(fake_links(server), 3);
    cr_assert_eq(s.nonce_lens[0], 16);
    for (int i = 1; i < 3; i++) {
        cr_assert_eq(s.nonce_lens[i], 16);
        cr_assert_eq(memcmp(s.nonces[i], s.nonces[0], 16), 0);
        cr_assert_leq(s.waits[i], s.waits[i - 1]);
    }
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert(memcmp(s.nonces[3], s.nonces[0], 16) != 0, "a call of its own");
    idem_client_close(client);
    fake_stop(server);
}

Test(client, the_callers_own_nonce_is_used) {
    script s = {
        .replies = {{.action = FAKE_HANG_UP}, answer_with(fake_acquired(5))},
        .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    args.nonce = "mine";
    args.nonce_len = 4;
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(s.nonce_lens[1], 4);
    cr_assert_eq(memcmp(s.nonces[1], "mine", 4), 0);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_lost_complete_is_sent_again_with_its_token) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            answer_with(fake_completed(true))},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    args.token.bytes[15] = 9;
    args.result = "";
    cr_assert_eq(idem_complete(client, &args, NULL, NULL), 0);
    cr_assert_eq(s.tokens[0].sequence, 9);
    cr_assert_eq(s.tokens[1].sequence, 9);
    cr_assert(s.had_result[1], "zero bytes are a result");
    idem_client_close(client);
    fake_stop(server);
}

Test(client, silence_until_the_deadline_is_an_unknown_outcome) {
    script s = {.replies = {{.action = FAKE_MUTE}}, .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=50"));
    idem_error err = {.size = sizeof err};
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    uint64_t before = idem_now_ms();
    cr_assert_eq(idem_acquire(client, &args, &answer, &err), IDEM_E_TIMEOUT);
    cr_assert_geq(idem_now_ms() - before, 49);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(answer.outcome, 0);
    cr_assert(strstr(err.text, "127.0.0.1") != NULL, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_late_reply_is_nobodys) {
    /* The first answer is held until the second is asked for, and comes
     * after it. */
    script s = {
        .replies =
            {{.action = FAKE_HOLD, .answer = fake_acquired(1), .hold = 2},
             {.action = FAKE_HOLD, .answer = fake_acquired(2), .hold = 2},
             answer_with(fake_acquired(3))},
        .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.timeout_ms = 40;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), IDEM_E_TIMEOUT);
    args.timeout_ms = 0;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.token.bytes[15], 2);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.token.bytes[15], 3);
    cr_assert_eq(fake_links(server), 1);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, no_server_at_all_leaves_the_claim_unchanged) {
    idem_client *client = open_client("idem://127.0.0.1:1/t?timeout_ms=60");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_CONNECT);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    cr_assert_str_eq(err.endpoint, "127.0.0.1:1");
    cr_assert(strstr(err.text, "refused") != NULL, "%s", err.text);
    idem_client_close(client);
}

Test(client, lost_and_never_back_is_unknown) {
    script s = {.replies = {{.action = FAKE_HANG_UP}}, .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=100"));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_LOST);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert_geq(atomic_load(&s.requests), 2);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_refusal_after_a_lost_attempt_is_still_unknown) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            refuse_with(IDP_E_LIMIT, "too many")},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_LOST);
    cr_assert(strstr(err.text, "LIMIT too many") != NULL, "%s", err.text);
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_LIMIT);
    cr_assert_eq(err.assume, IDEM_ASSUME_REFUSED);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, the_servers_words_come_through_without_control_characters) {
    script s = {.replies = {refuse_with(IDP_E_BAD_REQUEST, "a\x1b[2Jb\n")},
                .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_BAD_REQUEST);
    cr_assert(strstr(err.text, "BAD_REQUEST a?[2Jb?") != NULL, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_stranger_at_the_port_is_named) {
    script s = {
        .replies = {{.action = FAKE_BABBLE}, answer_with(fake_acquired(1))},
        .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(fake_links(server), 2, "babble costs the connection");
    idem_client_close(client);
    fake_stop(server);
}

Test(client, the_next_endpoint_is_tried_and_kept) {
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_server *server = serve(&s);
    char uri[128];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:1,127.0.0.1:2,127.0.0.1:%u/t",
             fake_port(server));
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(fake_links(server), 1);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, not_primary_is_obeyed) {
    script primary = {.replies = {answer_with(fake_acquired(1))},
                      .replies_count = 1};
    fake_server *there = serve(&primary);
    char where[32];
    snprintf(where, sizeof where, "127.0.0.1:%u", fake_port(there));
    script replica = {.replies = {refuse_with(IDP_E_NOT_PRIMARY, where)},
                      .replies_count = 1};
    fake_server *here = serve(&replica);
    idem_client *client = open_client(fake_uri(here, ""));
    idem_args args = args_of("k");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(atomic_load(&replica.requests), 1);
    cr_assert_eq(atomic_load(&primary.requests), 3);
    idem_info info = {.size = sizeof info};
    cr_assert_eq(idem_client_info(client, 0, &info, NULL), 0);
    cr_assert_str_eq(info.endpoint, where);
    idem_client_close(client);
    fake_stop(here);
    fake_stop(there);
}

Test(client, shutting_down_is_asked_again_until_the_deadline) {
    script s = {.replies = {refuse_with(IDP_E_SHUTTING_DOWN, NULL),
                            answer_with(fake_acquired(1)),
                            refuse_with(IDP_E_SHUTTING_DOWN, NULL)},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=200"));
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), IDEM_E_SHUTTING_DOWN);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_wrong_secret_is_told_at_once) {
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &s, .secret = "hush"};
    fake_server *server = fake_start(&config);
    char uri[128];
    idem_args args = args_of("k");
    idem_error err = {.size = sizeof err};
    idem_client *client = open_client(fake_uri(server, "timeout_ms=60000"));
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_DENIED);
    idem_client_close(client);
    snprintf(uri, sizeof uri, "idem://:hush@127.0.0.1:%u", fake_port(server));
    client = open_client(uri);
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0);
    idem_client_close(client);
    fake_stop(server);
}

/* Which link each request came over. */
static _Atomic uint64_t links_seen;

static void note_link(void *ctx, uint64_t link, const idp_request *request,
                      fake_reply *reply) {
    (void)ctx;
    (void)request;
    atomic_fetch_or(&links_seen, 1u << link);
    *reply = answer_with(fake_acquired(1));
}

static uint64_t links_of_100_keys(const char *options) {
    fake_config config = {.script = note_link, .shards = 4};
    fake_server *server = fake_start(&config);
    idem_client *client = open_client(fake_uri(server, options));
    atomic_store(&links_seen, 0);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", i);
        idem_args args = args_of(key);
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    }
    uint64_t links = fake_links(server);
    cr_assert_eq(atomic_load(&links_seen), ((1u << links) - 1) << 1);
    idem_client_close(client);
    fake_stop(server);
    return links;
}

Test(client, each_shard_has_its_connection) {
    cr_assert_eq(links_of_100_keys(""), 4);
    cr_assert_eq(links_of_100_keys("shard_aware=0"), 1);
}

Test(client, a_server_that_comes_back_with_fewer_shards_is_learned_anew) {
    fake_config config = {.script = note_link, .shards = 4};
    fake_server *server = fake_start(&config);
    config.port = fake_port(server);
    config.shards = 1;
    idem_client *client = open_client(fake_uri(server, ""));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++) {
            char key[16];
            snprintf(key, sizeof key, "key-%d", i);
            idem_args args = args_of(key);
            idem_error err = {.size = sizeof err};
            cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0, "%s",
                         err.text);
        }
        if (round == 0) {
            fake_stop(server);
            server = fake_start(&config);
        }
    }
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_result_over_the_limit_is_not_sent_and_not_kept) {
    script s = {.replies = {answer_with(fake_completed(true))},
                .replies_count = 1};
    fake_config config = {
        .script = follow, .ctx = &s, .result_bytes_max = 1000};
    fake_server *server = fake_start(&config);
    idem_client *client = open_client(fake_uri(server, ""));
    static char big[1001];
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.result = big;
    args.result_len = 1000;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.kept, 1);
    args.result_len = 1001;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.kept, 0);
    cr_assert(s.had_result[0]);
    cr_assert_not(s.had_result[1]);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, large_results_go_both_ways) {
    static char big[1 << 20];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    script s = {.replies = {answer_with(fake_completed(true)),
                            answer_with(fake_replay(big, sizeof big))},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.result = big;
    args.result_len = sizeof big;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.result_len, sizeof big);
    cr_assert_eq(memcmp(answer.result, big, sizeof big), 0);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_unix_socket_works_as_well) {
    char path[64];
    char uri[128];
    snprintf(path, sizeof path, "/tmp/idem_client_%d.sock", (int)getpid());
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &s, .path = path};
    fake_server *server = fake_start(&config);
    snprintf(uri, sizeof uri, "idem+unix://%s?namespace=t", path);
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(idem_ping(client, NULL, NULL, NULL), 0);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, an_argument_is_told_by_its_name_and_sends_nothing) {
    idem_client *client = open_client("idem://127.0.0.1:1");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("");
    idem_answer unsized = {0};
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_ARGUMENT);
    cr_assert(strstr(err.text, "key") != NULL);
    cr_assert_eq(idem_acquire(client, NULL, NULL, &err), IDEM_E_ARGUMENT);
    args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, &unsized, &err), IDEM_E_ARGUMENT);
    cr_assert(strstr(err.text, "answer.size") != NULL);
    idem_client_close(client);
    idem_client_close(NULL);
}

Test(client, a_shorter_error_struct_of_an_older_program_is_respected) {
    struct {
        uint32_t size;
        int32_t code;
        int32_t assume;
        int32_t untouched;
    } err = {.size = 12, .untouched = 77};
    idem_client *client = NULL;
    cr_assert_eq(idem_client_open("x", &client, (idem_error *)&err),
                 IDEM_E_URI);
    cr_assert_eq(err.code, IDEM_E_URI);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    cr_assert_eq(err.size, 12);
    cr_assert_eq(err.untouched, 77);
}
