/* SPDX-License-Identifier: Apache-2.0 */
/* session_test.c -- the sans-I/O session against scripted bytes: whatever the
 * pieces they come in, and whatever the order. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient_loop.h"
#include "tests/unit/client/fake.h"

/* What a callback was told. */
typedef struct told {
    int times;
    int32_t outcome;
    int32_t code;
    uint64_t sequence; /* the token's low byte */
    char result[32];
    char primary[128];
} told;

static void tell(void *ctx, const idem_answer *answer, const idem_error *err) {
    told *told_of = ctx;
    told_of->times++;
    cr_assert((answer == NULL) != (err == NULL));
    if (err != NULL) {
        told_of->code = err->code;
        memcpy(told_of->primary, err->primary, sizeof told_of->primary);
        return;
    }
    told_of->outcome = answer->outcome;
    told_of->sequence = answer->token.bytes[15];
    if (answer->result_len > 0 && answer->result_len < sizeof told_of->result)
        memcpy(told_of->result, answer->result, answer->result_len);
}

static idem_args args_of(const char *key) {
    return (idem_args){
        .size = sizeof(idem_args), .key = key, .key_len = strlen(key)};
}

static idem_session *fresh(void) {
    idem_session *session = NULL;
    cr_assert_eq(idem_session_new(&session), 0);
    return session;
}

/* Takes one request out of the session's output; its msgid. */
static idp_request take(idem_session *session) {
    static uint8_t bytes[4096];
    idp_request request;
    idp_read_fault fault;
    size_t frame_bytes = 0;
    size_t len = 0;
    const uint8_t *output = idem_session_output(session, &len);
    cr_assert(len > 0 && len <= sizeof bytes);
    memcpy(bytes, output, len);
    idp_read_limits limits = {.result_bytes_max = 1 << 20};
    idp_read read =
        idp_request_read(bytes, len, &limits, &request, &frame_bytes, &fault);
    cr_assert_eq(read, IDP_READ_WHOLE);
    idem_session_sent(session, frame_bytes);
    return request;
}

static void give(idem_session *session, uint32_t msgid, idp_answer answer) {
    uint8_t bytes[512];
    size_t len = idp_answer_write(bytes, sizeof bytes, msgid, &answer);
    cr_assert(len > 0);
    cr_assert_eq(idem_session_input(session, bytes, len), 0);
}

Test(session, an_acquire_goes_out_and_its_answer_comes_in) {
    idem_session *session = fresh();
    told a = {0};
    idem_args args = args_of("k");
    args.lease_ms = 500;
    cr_assert_eq(idem_session_call(session, IDEM_ACQUIRE, &args, 100, tell, &a),
                 0);
    idp_request request = take(session);
    cr_assert_eq(request.method, IDP_ACQUIRE);
    cr_assert_eq(request.lease_ms, 500);
    cr_assert_eq(request.ttl_ms, IDEM_TTL_MS_DEFAULT);
    give(session, request.msgid, fake_acquired(7));
    cr_assert_eq(a.times, 1);
    cr_assert_eq(a.outcome, IDEM_ACQUIRED);
    cr_assert_eq(a.sequence, 7);
    idem_session_free(session);
    cr_assert_eq(a.times, 1);
}

Test(session, replies_in_any_order_find_their_calls) {
    idem_session *session = fresh();
    told heard[200] = {0};
    uint32_t msgids[200];
    idem_args args = args_of("k");
    for (int i = 0; i < 200; i++) {
        idem_session_call(session, IDEM_ACQUIRE, &args, 0, tell, &heard[i]);
        msgids[i] = take(session).msgid;
    }
    for (int i = 0; i < 200; i++) {
        int which = (i * 77 + 13) % 200; /* each one once */
        give(session, msgids[which], fake_acquired((uint64_t)which));
    }
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(heard[i].times, 1);
        cr_assert_eq(heard[i].sequence, (uint64_t)i);
    }
    idem_session_free(session);
}

/* The replies of one whole conversation: hello, a replay, an error. */
static size_t conversation(const uint32_t msgids[3], uint8_t *to, size_t cap) {
    idp_hello hello = {.server = "s",
                       .version = "1",
                       .protocol = 1,
                       .role = "primary",
                       .shards = 2,
                       .result_bytes_max = 100};
    idp_answer replay = fake_replay("points", 6);
    size_t len = idp_hello_write(to, cap, msgids[0], &hello);
    len += idp_answer_write(to + len, cap - len, msgids[1], &replay);
    len += idp_error_write(to + len, cap - len, msgids[2], IDP_E_LIMIT, "full");
    return len;
}

/* One conversation whose bytes come in two pieces, cut at `cut`; or one by one
 * where cut is 0. Each piece in a block of its own, so that reading past it is
 * seen. Returns how many bytes there were. */
static size_t converse(size_t cut) {
    idem_session *session = fresh();
    told heard[3] = {0};
    uint32_t msgids[3];
    uint8_t bytes[1024];
    idem_args args = args_of("k");
    idem_session_hello(session, "hush", 1, 1000, tell, &heard[0]);
    msgids[0] = take(session).msgid;
    idem_session_call(session, IDEM_ACQUIRE, &args, 0, tell, &heard[1]);
    msgids[1] = take(session).msgid;
    idem_session_call(session, IDEM_PEEK, &args, 0, tell, &heard[2]);
    msgids[2] = take(session).msgid;
    size_t len = conversation(msgids, bytes, sizeof bytes);
    for (size_t at = 0; at < len;) {
        size_t piece = cut == 0 ? 1 : at == 0 ? cut : len - cut;
        uint8_t *block = malloc(piece);
        memcpy(block, bytes + at, piece);
        cr_assert_eq(idem_session_input(session, block, piece), 0);
        free(block);
        at += piece;
    }
    idem_info info = {.size = sizeof info};
    cr_assert_eq(idem_session_info(session, &info), 0);
    cr_assert_eq(info.shards, 2);
    cr_assert_eq(info.result_bytes_max, 100);
    cr_assert_eq(heard[0].outcome, IDEM_PONG);
    cr_assert_eq(heard[1].outcome, IDEM_REPLAY);
    cr_assert_str_eq(heard[1].result, "points");
    cr_assert_eq(heard[2].code, IDEM_E_LIMIT);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(heard[i].times, 1, "cut %zu", cut);
    idem_session_free(session);
    return len;
}

Test(session, a_read_may_end_at_any_byte) {
    size_t len = converse(0);
    for (size_t cut = 1; cut < len; cut++)
        converse(cut);
}

Test(session, a_call_ends_at_its_deadline_and_its_late_reply_is_dropped) {
    idem_session *session = fresh();
    told early = {0};
    told late = {0};
    idem_args args = args_of("k");
    cr_assert_eq(idem_session_next_ms(session), UINT64_MAX);
    args.timeout_ms = 300;
    idem_session_call(session, IDEM_PEEK, &args, 1000, tell, &late);
    args.timeout_ms = 100;
    idem_session_call(session, IDEM_PEEK, &args, 1000, tell, &early);
    uint32_t late_id = take(session).msgid;
    uint32_t early_id = take(session).msgid;
    cr_assert_eq(idem_session_next_ms(session), 1100);
    idem_session_tick(session, 1099);
    cr_assert_eq(early.times, 0);
    idem_session_tick(session, 1100);
    cr_assert_eq(early.code, IDEM_E_TIMEOUT);
    cr_assert_eq(idem_session_next_ms(session), 1300);
    give(session, early_id, (idp_answer){.outcome = IDP_OUTCOME_RECORD});
    cr_assert_eq(early.times, 1);
    give(
        session, late_id,
        (idp_answer){.outcome = IDP_OUTCOME_RECORD, .state = IDP_STATE_ABSENT});
    cr_assert_eq(late.outcome, IDEM_RECORD);
    idem_session_free(session);
}

Test(session, a_wait_stretches_the_deadline) {
    idem_session *session = fresh();
    told a = {0};
    idem_args args = args_of("k");
    args.wait_ms = 60000;
    args.timeout_ms = 100;
    idem_session_call(session, IDEM_ACQUIRE, &args, 0, tell, &a);
    cr_assert_eq(idem_session_next_ms(session), 60100);
    idem_session_free(session);
    cr_assert_eq(a.code, IDEM_E_CLOSED); /* no byte of it was taken */
}

Test(session, what_was_taken_is_lost_when_it_is_freed) {
    idem_session *session = fresh();
    told a = {0};
    told b = {0};
    idem_args args = args_of("k");
    idem_session_call(session, IDEM_PEEK, &args, 0, tell, &a);
    size_t len = 0;
    idem_session_output(session, &len);
    idem_session_sent(session, 1);
    idem_session_call(session, IDEM_PEEK, &args, 0, tell, &b);
    idem_session_free(session);
    cr_assert_eq(a.code, IDEM_E_LOST);
    cr_assert_eq(b.code, IDEM_E_CLOSED);
}

Test(session, bytes_that_are_no_reply_end_it) {
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"HTTP/1.1 400\r\n", 14},
        {"\x94\x00\x01\xa4ping\x90", 9},             /* a request */
        {"\x93\x02\xa1x\x90", 5},                    /* a notification */
        {"\x94\x01\x01\xc0\xdd\xff\xff\xff\xff", 9}, /* four thousand million */
        {"\xc1", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        idem_session *session = fresh();
        cr_assert_eq(idem_session_input(session, (const uint8_t *)rows[i].bytes,
                                        rows[i].len),
                     IDEM_E_GARBLED, "row %zu", i);
        idem_session_free(session);
    }
}

Test(session, an_answer_of_the_wrong_kind_is_told_to_its_caller_alone) {
    idem_session *session = fresh();
    told a = {0};
    idem_args args = args_of("k");
    idem_session_call(session, IDEM_RENEW, &args, 0, tell, &a);
    give(session, take(session).msgid, fake_completed(true));
    cr_assert_eq(a.code, IDEM_E_GARBLED);
    idem_session_call(session, IDEM_RENEW, &args, 0, tell, &a);
    give(session, take(session).msgid,
         (idp_answer){.outcome = IDP_OUTCOME_RENEWED, .lease_ms = 5});
    cr_assert_eq(a.outcome, IDEM_RENEWED);
    idem_session_free(session);
}

Test(session, a_replica_says_where_the_primary_is) {
    static const struct {
        const char *text, *primary;
    } rows[] = {{"10.0.0.2:7117", "10.0.0.2:7117"},
                {"[::1]:7117", "[::1]:7117"},
                {"", ""},
                {"10.0.0.2", ""},
                {"10.0.0.2:7117 or so", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        idem_session *session = fresh();
        told told_of = {0};
        uint8_t bytes[IDP_ERROR_REPLY_BYTES_MAX];
        idem_args args = args_of("k");
        cr_assert_eq(
            idem_session_call(session, IDEM_PEEK, &args, 0, tell, &told_of), 0);
        size_t len = idp_error_write(bytes, sizeof bytes, take(session).msgid,
                                     IDP_E_NOT_PRIMARY, rows[i].text);
        cr_assert_eq(idem_session_input(session, bytes, len), 0);
        cr_assert_eq(told_of.code, IDEM_E_NOT_PRIMARY);
        cr_assert_str_eq(told_of.primary, rows[i].primary);
        idem_session_free(session);
    }
}

Test(session, a_result_over_the_servers_limit_stays_at_home) {
    idem_session *session = fresh();
    told a = {0};
    uint32_t msgids[3] = {0, 900, 901};
    uint8_t bytes[1024];
    char big[101] = {0};
    idem_session_hello(session, NULL, -1, 1000, tell, &a);
    msgids[0] = take(session).msgid;
    size_t len = conversation(msgids, bytes, sizeof bytes); /* limit 100 */
    cr_assert_eq(idem_session_input(session, bytes, len), 0);
    idem_args args = args_of("k");
    args.result = big;
    args.result_len = 100;
    idem_session_call(session, IDEM_COMPLETE, &args, 0, tell, &a);
    cr_assert_eq(take(session).result.len, 100);
    args.result_len = 101;
    idem_session_call(session, IDEM_COMPLETE, &args, 0, tell, &a);
    cr_assert_null(take(session).result.ptr);
    idem_session_free(session);
}

static const struct {
    const char *field;
    int32_t method;
    idem_args args;
} mistakes[] = {
    {"size", IDEM_PEEK, {.size = 7, .key = "k", .key_len = 1}},
    {"empty key", IDEM_PEEK, {.key = "k", .key_len = 0}},
    {"no key", IDEM_PEEK, {.key = NULL, .key_len = 5}},
    {"key", IDEM_PEEK, {.key = "k", .key_len = 513}},
    {"ns", IDEM_PEEK, {.key = "k", .key_len = 1, .ns = "n", .ns_len = 65}},
    {"lease", IDEM_RENEW, {.key = "k", .key_len = 1, .lease_ms = 86400001}},
    {"ttl", IDEM_ACQUIRE, {.key = "k", .key_len = 1, .ttl_ms = 31622400001}},
    {"ttl under lease",
     IDEM_ACQUIRE,
     {.key = "k", .key_len = 1, .ttl_ms = 9, .lease_ms = 10}},
    {"wait", IDEM_ACQUIRE, {.key = "k", .key_len = 1, .wait_ms = 60001}},
    {"nonce",
     IDEM_ACQUIRE,
     {.key = "k", .key_len = 1, .nonce = "n", .nonce_len = 33}},
    {"fingerprint",
     IDEM_ACQUIRE,
     {.key = "k", .key_len = 1, .fingerprint = "f", .fingerprint_len = 65}},
    {"on_orphan", IDEM_ACQUIRE, {.key = "k", .key_len = 1, .on_orphan = 1}},
    {"class", IDEM_COMPLETE, {.key = "k", .key_len = 1, .result_class = 1}},
    {"result", IDEM_COMPLETE, {.key = "k", .key_len = 1, .result_len = 1}},
    {"method", 0, {.key = "k", .key_len = 1}},
    {"method", 8, {.key = "k", .key_len = 1}},
    {"outcome for method", IDEM_ACQUIRED, {.key = "k", .key_len = 1}},
};

Test(session, what_is_over_a_limit_is_refused_before_it_is_sent) {
    idem_session *session = fresh();
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        idem_args args = mistakes[i].args;
        size_t len = 1;
        if (args.size == 0)
            args.size = sizeof args;
        cr_assert_eq(idem_session_call(session, mistakes[i].method, &args, 0,
                                       tell, NULL),
                     IDEM_E_ARGUMENT, "%s", mistakes[i].field);
        cr_assert_null(idem_session_output(session, &len));
        cr_assert_eq(len, 0);
    }
    idem_session_free(session);
}
