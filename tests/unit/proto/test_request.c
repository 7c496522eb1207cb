/* SPDX-License-Identifier: Apache-2.0 */
/* test_request.c -- each method's parameters: what is taken, what is refused
 * and with which words. Every limit at it and one past it.
 *
 * Nothing in this room allocates, so there is no memory to run out of. */
#include "proto/request.h"
#include "tests/unit/proto/notation.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const idp_read_limits limits = {.result_bytes_max = 100};

/* A frame with msgid 7 around "'method' [params". */
typedef struct whole {
    uint8_t bytes[4096];
    size_t len;
    idp_request request;
    idp_read_fault fault;
    size_t frame_bytes;
    idp_read is;
} whole;

static void read_call(whole *w, const char *call) {
    char text[4096];
    snprintf(text, sizeof text, "[4 i0 i7 %s", call);
    w->len = notation(text, w->bytes, sizeof w->bytes);
    w->is = idp_request_read(w->bytes, w->len, &limits, &w->request,
                             &w->frame_bytes, &w->fault);
}

static const char *const accepted[] = {
    "'peek' [2 S0 S1",
    "'peek' [2 S64 S512",
    "'peek' [2 B64 B512",
    "'acquire' [6 '' 'k' S64 S32 i86400000 i31622400000",
    "'acquire' [6 '' 'k' B0 B1 i1 i1",
    "'acquire' [6 '' 'k' - - i5 i5",
    "'acquire' [7 '' 'k' - - i5 i5 -",
    "'acquire' [7 '' 'k' - - i5 i5 {0",
    "'acquire' [7 '' 'k' - - i5 i5 {1 'wait_ms' i60000",
    "'acquire' [7 '' 'k' - - i5 i5 {1 'on_orphan' 'takeover'",
    "'acquire' [7 '' 'k' - - i5 i5 {2 'on_orphan' 'report' 'wait_ms' i0",
    "'acquire' [6 '' 'k' - - f30000 f31622400000",
    "'acquire' [6 '' 'k' - - g30000 g65536",
    "'acquire' [6 '' 'k' - - xd005 xd30000000000000005",
    "'acquire' [6 '' 'k' - - xcf0000000000000001 xce00000001",
    "'complete' [3 '' 'k' T",
    "'complete' [4 '' 'k' T -",
    "'complete' [4 '' 'k' T B100",
    "'complete' [4 '' 'k' T S0",
    "'complete' [5 '' 'k' T - -",
    "'complete' [5 '' 'k' T - i1",
    "'complete' [6 '' 'k' T - - -",
    "'complete' [6 '' 'k' S16 - i31622400000 {1 'class' 'success'",
    "'release' [3 '' 'k' T",
    "'release' [4 '' 'k' T -",
    "'release' [4 '' 'k' T {1 'unbind' xc2",
    "'renew' [4 '' 'k' T i1",
    "'renew' [4 '' 'k' T i86400000",
    "'hello' [0",
    "'hello' [1 -",
    "'hello' [1 {0",
    "'hello' [1 {3 'client' S128 'secret' S256 'shard' i1023",
    "'ping' [0",
    "'stats' [0",
    "xc40470696e67 [0", /* the method as bin */
};

Test(request, takes_all_that_is_within_the_limits) {
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        whole w;
        read_call(&w, accepted[i]);
        cr_expect(w.is == IDP_READ_WHOLE, "%s: %d, %s", accepted[i], w.is,
                  w.fault.text ? w.fault.text : "");
        cr_expect_eq(w.frame_bytes, w.len, "%s", accepted[i]);
        cr_expect_eq(w.request.msgid, 7);
    }
}

#define BAD IDP_E_BAD_REQUEST
#define BIG IDP_E_TOO_LARGE

static const struct {
    const char *call;
    idp_error error;
    const char *text;
} refused[] = {
    {"'lock' [0", IDP_E_UNKNOWN_METHOD, "no such method"},
    {"'' [0", IDP_E_UNKNOWN_METHOD, "no such method"},
    {"S300 [2 i1 {1 i1 [1 -", IDP_E_UNKNOWN_METHOD, "no such method"},
    {"'Peek' [0", IDP_E_UNKNOWN_METHOD, "no such method"},
    {"'hellO' [0", IDP_E_UNKNOWN_METHOD, "no such method"},
    {"'acquira' [0", IDP_E_UNKNOWN_METHOD, "no such method"},
    {"'completa' [0", IDP_E_UNKNOWN_METHOD, "no such method"},
    /* how many */
    {"'peek' [1 'n'", BAD, "peek takes ns, key"},
    {"'peek' [3 'n' 'k' -", BAD, "peek takes ns, key"},
    {"'renew' [3 '' 'k' T", BAD, "renew takes ns, key, token, lease_ms"},
    {"'renew' [5 '' 'k' T i5 -", BAD, "renew takes ns, key, token, lease_ms"},
    {"'release' [2 '' 'k'", BAD,
     "release takes ns, key, token and an optional map"},
    {"'release' [5 '' 'k' T - -", BAD,
     "release takes ns, key, token and an optional map"},
    {"'complete' [2 '' 'k'", BAD,
     "complete takes ns, key, token, result, ttl_ms and an optional map"},
    {"'complete' [7 '' 'k' T - - - -", BAD,
     "complete takes ns, key, token, result, ttl_ms and an optional map"},
    {"'acquire' [5 '' 'k' - - i5", BAD,
     "acquire takes ns, key, fingerprint, nonce, lease_ms, ttl_ms and an "
     "optional map"},
    {"'acquire' [8 '' 'k' - - i5 i5 - -", BAD,
     "acquire takes ns, key, fingerprint, nonce, lease_ms, ttl_ms and an "
     "optional map"},
    {"'hello' [2 - -", BAD, "hello takes one optional map"},
    {"'ping' [1 -", BAD, "this method takes no parameters"},
    {"'stats' [1 -", BAD, "this method takes no parameters"},
    /* bytes */
    {"'peek' [2 - 'k'", BAD, "ns must be a str or bin of 0..64 bytes"},
    {"'peek' [2 i1 'k'", BAD, "ns must be a str or bin of 0..64 bytes"},
    {"'peek' [2 S65 'k'", BIG, "ns is over 64 bytes"},
    {"'peek' [2 B65 'k'", BIG, "ns is over 64 bytes"},
    {"'peek' [2 '' ''", BAD, "key must be a str or bin of 1..512 bytes"},
    {"'peek' [2 '' -", BAD, "key must be a str or bin of 1..512 bytes"},
    {"'peek' [2 '' [0", BAD, "key must be a str or bin of 1..512 bytes"},
    {"'peek' [2 '' S513", BIG, "key is over 512 bytes"},
    {"'acquire' [6 '' 'k' S65 - i5 i5", BIG, "fingerprint is over 64 bytes"},
    {"'acquire' [6 '' 'k' i1 - i5 i5", BAD,
     "fingerprint must be a str or bin of 0..64 bytes"},
    {"'acquire' [6 '' 'k' - S33 i5 i5", BIG, "nonce is over 32 bytes"},
    {"'acquire' [6 '' 'k' - '' i5 i5", BAD,
     "nonce must be a str or bin of 1..32 bytes"},
    {"'acquire' [6 '' 'k' - {0 i5 i5", BAD,
     "nonce must be a str or bin of 1..32 bytes"},
    {"'renew' [4 '' 'k' S15 i5", BAD, "token must be a str or bin of 16 bytes"},
    {"'renew' [4 '' 'k' S17 i5", BAD, "token must be a str or bin of 16 bytes"},
    {"'renew' [4 '' 'k' - i5", BAD, "token must be a str or bin of 16 bytes"},
    {"'complete' [4 '' 'k' T i1", BAD, "result must be a str, a bin or nil"},
    {"'complete' [4 '' 'k' T {1 'a' i1", BAD,
     "result must be a str, a bin or nil"},
    /* times */
    {"'renew' [4 '' 'k' T i0", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T i86400001", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T xff", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T xd0ff", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T xd1ffff", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T xd3ffffffffffffffff", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T xcfffffffffffffffff", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T '5'", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T -", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T f1.5", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T g0.5", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T fnan", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T ginf", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'renew' [4 '' 'k' T f-5", BAD,
     "lease_ms must be an integer of 1..86400000"},
    {"'acquire' [6 '' 'k' - - i5 i0", BAD,
     "ttl_ms must be an integer of 1..31622400000"},
    {"'acquire' [6 '' 'k' - - i5 i31622400001", BAD,
     "ttl_ms must be an integer of 1..31622400000"},
    {"'acquire' [6 '' 'k' - - i5 f1e300", BAD,
     "ttl_ms must be an integer of 1..31622400000"},
    {"'acquire' [6 '' 'k' - - i5 -", BAD,
     "ttl_ms must be an integer of 1..31622400000"},
    {"'acquire' [6 '' 'k' - - i6 i5", BAD, "lease_ms is over ttl_ms"},
    {"'complete' [5 '' 'k' T - i0", BAD,
     "ttl_ms must be an integer of 1..31622400000"},
    {"'complete' [5 '' 'k' T - i31622400001", BAD,
     "ttl_ms must be an integer of 1..31622400000"},
    /* options */
    {"'acquire' [7 '' 'k' - - i5 i5 i1", BAD, "the options must be a map"},
    {"'acquire' [7 '' 'k' - - i5 i5 [0", BAD, "the options must be a map"},
    {"'acquire' [7 '' 'k' - - i5 i5 {1 'wait' i1", BAD,
     "acquire's options are wait_ms and on_orphan"},
    {"'acquire' [7 '' 'k' - - i5 i5 {1 i1 i1", BAD,
     "an option's name must be a str"},
    {"'acquire' [7 '' 'k' - - i5 i5 {2 'wait_ms' i1 'wait_ms' i1", BAD,
     "an option is given twice"},
    {"'acquire' [7 '' 'k' - - i5 i5 {1 'wait_ms' i60001", BAD,
     "wait_ms must be an integer of 0..60000"},
    {"'acquire' [7 '' 'k' - - i5 i5 {1 'wait_ms' -", BAD,
     "wait_ms must be an integer of 0..60000"},
    {"'acquire' [7 '' 'k' - - i5 i5 {1 'on_orphan' 'x'", BAD,
     "on_orphan must be \"takeover\" or \"report\""},
    {"'acquire' [7 '' 'k' - - i5 i5 {1 'on_orphan' i1", BAD,
     "on_orphan must be \"takeover\" or \"report\""},
    {"'complete' [6 '' 'k' T - - {1 'class' 'bad'", BAD,
     "class must be \"success\" or \"error\""},
    {"'complete' [6 '' 'k' T - - {1 'clas' 'error'", BAD,
     "complete's only option is class"},
    {"'release' [4 '' 'k' T {1 'unbind' i1", BAD, "unbind must be a bool"},
    {"'release' [4 '' 'k' T {1 'class' xc3", BAD,
     "release's only option is unbind"},
    {"'hello' [1 {1 'client' S129", BIG, "client is over 128 bytes"},
    {"'hello' [1 {1 'secret' S257", BIG, "secret is over 256 bytes"},
    {"'hello' [1 {1 'secret' i1", BAD,
     "secret must be a str or bin of 0..256 bytes"},
    {"'hello' [1 {1 'shard' i1024", BAD, "shard must be an integer of 0..1023"},
    {"'hello' [1 {1 'color' i1", BAD,
     "hello's options are client, shard and secret"},
};

Test(request, says_what_is_wrong_with_which_field) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        whole w;
        const char *call = refused[i].call;
        read_call(&w, call);
        cr_expect(w.is == IDP_READ_REFUSED, "%s: %d", call, w.is);
        cr_expect_eq(w.fault.error, refused[i].error, "%s", call);
        cr_expect_str_eq(w.fault.text, refused[i].text, "%s", call);
        cr_expect_eq(w.fault.msgid, 7, "%s", call);
        cr_expect_eq(w.frame_bytes, w.len, "%s", call);
    }
}

Test(request, fills_every_field) {
    whole w;
    read_call(&w, "'acquire' [7 'ns' 'key' 'fp' 'nonce' i5 i70000 "
                  "{2 'wait_ms' i9 'on_orphan' 'report'");
    const idp_request *r = &w.request;
    cr_assert_eq(w.is, IDP_READ_WHOLE);
    cr_assert_eq(r->method, IDP_ACQUIRE);
    cr_assert_eq(r->ns.len, 2);
    cr_assert_eq(r->key.len, 3);
    cr_assert(!memcmp(r->key.ptr, "key", 3));
    cr_assert_eq(r->fingerprint.len, 2);
    cr_assert_eq(r->nonce.len, 5);
    cr_assert_eq(r->lease_ms, 5);
    cr_assert_eq(r->ttl_ms, 70000);
    cr_assert_eq(r->wait_ms, 9);
    cr_assert_eq(r->on_orphan, IDP_REPORT);

    read_call(&w, "'complete' [6 '' 'k' T 'res' i5 {1 'class' 'error'");
    cr_assert_eq(w.is, IDP_READ_WHOLE);
    cr_assert_eq(r->token.epoch, 0x0102030405060708);
    cr_assert_eq(r->token.sequence, 0x090a0b0c0d0e0f10);
    cr_assert_eq(r->result.len, 3);
    cr_assert_eq(r->ttl_ms, 5);
    cr_assert_eq(r->class, IDP_CLASS_ERROR);
    cr_assert_not(r->result_too_large);

    read_call(&w, "'release' [4 '' 'k' T {1 'unbind' xc3");
    cr_assert(r->unbind);
    read_call(&w, "'hello' [1 {3 'shard' i3 'secret' 's' 'client' 'me'");
    cr_assert(r->has_shard);
    cr_assert_eq(r->shard, 3);
    cr_assert_eq(r->client.len, 2);
    cr_assert_eq(r->secret.len, 1);
}

Test(request, tells_nil_from_empty) {
    whole w;
    read_call(&w, "'complete' [4 '' 'k' T -");
    cr_assert_null(w.request.result.ptr);
    read_call(&w, "'complete' [4 '' 'k' T ''");
    cr_assert_not_null(w.request.result.ptr);
    cr_assert_eq(w.request.result.len, 0);
    cr_assert_not_null(w.request.ns.ptr);
    read_call(&w, "'hello' [1 {1 'client' 'x'");
    cr_assert_null(w.request.secret.ptr);
    cr_assert_not(w.request.has_shard);
}

Test(request, leaves_defaults_out_and_writes_whole_or_nothing) {
    idp_request r = {.method = IDP_COMPLETE,
                     .msgid = 7,
                     .key = {(const uint8_t *)"k", 1},
                     .token = {0x0102030405060708, 0x090a0b0c0d0e0f10}};
    uint8_t want[256], got[512];
    size_t len = notation("[4 i0 i7 'complete' [3 '' 'k' T", want, sizeof want);
    cr_assert_eq(idp_request_write(got, sizeof got, &r), len);
    cr_assert(!memcmp(got, want, len));

    r.class = IDP_CLASS_ERROR;
    len = notation("[4 i0 i7 'complete' [6 '' 'k' T - - "
                   "{1 'class' 'error'",
                   want, sizeof want);
    cr_assert_eq(idp_request_write(got, sizeof got, &r), len);
    cr_assert(!memcmp(got, want, len));

    size_t bound = idp_request_write_bound(&r);
    memset(got, 0xee, sizeof got);
    cr_assert_eq(idp_request_write(got, bound - 1, &r), 0);
    cr_assert_eq(got[0], 0xee);
    cr_assert_eq(idp_request_write(got, bound, &r), len);
}
