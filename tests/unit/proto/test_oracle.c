/* SPDX-License-Identifier: Apache-2.0 */
/* test_oracle.c -- msgpack-c as the second opinion: what it packs we read,
 * what we write it unpacks. By seed, in shortest and in longer forms. */
#include "proto/list.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "tests/lib/same.h"

#include <criterion/criterion.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const idp_read_limits limits = {.result_bytes_max = 300};

/* splitmix64: a seed is all of its state. */
static uint64_t draw(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t between(uint64_t *seed, uint64_t low, uint64_t high) {
    return low + draw(seed) % (high - low + 1);
}

static uint8_t pool[2048];

static idp_slice some_bytes(uint64_t *seed, size_t low, size_t high) {
    size_t len = between(seed, low, high);
    return (idp_slice){pool + between(seed, 0, 200), len};
}

#define ORACLE_SOME
#include "tests/unit/proto/oracle_decide.h"

static void some_list(uint64_t *seed, idp_request *r) {
    r->state =
        (idp_state)between(seed, IDP_STATE_IN_PROGRESS, IDP_STATE_ORPHANED);
    r->older_ms = between(seed, 1, IDP_TTL_MS_MAX);
    r->ns = some_bytes(seed, 0, IDP_NS_BYTES_MAX);
    r->key = some_bytes(seed, 0, IDP_KEY_BYTES_MAX);
    r->oldest = draw(seed) % 2;
}

static idp_request some_request(uint64_t *seed) {
    idp_request r = {0};
    r.method = (idp_method)between(seed, 0, IDP_METHOD_COUNT - 1);
    r.msgid = (uint32_t)(draw(seed) >> between(seed, 32, 63));
    if (r.method <= IDP_PEEK || r.method == IDP_INSPECT ||
        r.method == IDP_RESOLVE) {
        r.ns = some_bytes(seed, 0, IDP_NS_BYTES_MAX);
        r.key = some_bytes(seed, 1, IDP_KEY_BYTES_MAX);
    }
    if (r.method == IDP_ACQUIRE) {
        r.fingerprint = some_bytes(seed, 0, IDP_FINGERPRINT_BYTES_MAX);
        r.nonce = some_bytes(seed, 1, IDP_NONCE_BYTES_MAX);
        r.lease_ms = (uint32_t)between(seed, 1, IDP_LEASE_MS_MAX);
        r.ttl_ms = between(seed, r.lease_ms, IDP_TTL_MS_MAX);
        r.wait_ms = (uint32_t)between(seed, 0, IDP_WAIT_MS_MAX);
        r.on_orphan = (idp_on_orphan)between(seed, 0, 1);
    } else if (r.method < IDP_PEEK) {
        r.token = (idp_token){draw(seed), draw(seed)};
    }
    if (r.method == IDP_COMPLETE) {
        r.result = some_bytes(seed, 0, limits.result_bytes_max);
        r.ttl_ms = between(seed, 1, IDP_TTL_MS_MAX);
        r.class = (idp_class)between(seed, 0, 1);
    }
    if (r.method == IDP_CONFIG || r.method == IDP_OFFER) {
        r.result = some_bytes(seed, 0, 1000);
    }
    if (r.method == IDP_RENEW) {
        r.lease_ms = (uint32_t)between(seed, 1, IDP_LEASE_MS_MAX);
    }
    if (r.method == IDP_RESOLVE) {
        some_decision(seed, &r);
    }
    if (r.method == IDP_ERASE) {
        r.ns = some_bytes(seed, 0, IDP_NS_BYTES_MAX);
        r.key = some_bytes(seed, 0, IDP_KEY_BYTES_MAX);
        r.reason = some_bytes(seed, 1, IDP_REASON_BYTES_MAX);
    }
    r.unbind = r.method == IDP_RELEASE && draw(seed) % 2;
    r.accept_loss =
        (r.method == IDP_PROMOTE || r.method == IDP_DETACH) && draw(seed) % 2;
    if ((r.method == IDP_DETACH || r.method == IDP_SWITCHOVER) &&
        draw(seed) % 2) {
        r.ns = some_bytes(seed, 1, IDP_NODE_BYTES_MAX);
    }
    r.open_metrics = r.method == IDP_METRICS && draw(seed) % 2;
    r.dry_run =
        (r.method == IDP_RELOAD || r.method == IDP_ERASE) && draw(seed) % 2;
    r.force =
        (r.method == IDP_RELOAD || r.method == IDP_RESOLVE) && draw(seed) % 2;
    if (r.method == IDP_LIST) {
        some_list(seed, &r);
    }
    if (r.method == IDP_EVENTS) {
        some_watch(seed, &r);
    }
    if (r.method == IDP_CLIENTS || r.method == IDP_KILL) {
        r.cursor = some_bytes(seed, 1, IDP_CURSOR_BYTES_MAX);
    }
    if (r.method == IDP_HELLO) {
        r.has_shard = true;
        r.shard = (uint32_t)between(seed, 0, IDP_SHARDS_MAX - 1);
        r.client = some_bytes(seed, 0, IDP_CLIENT_BYTES_MAX);
        r.secret = some_bytes(seed, 0, IDP_SECRET_BYTES_MAX);
    }
    return r;
}

/* Packing: each value in one of the forms that mean it ------------------- */

typedef struct packing {
    msgpack_packer packer;
    uint64_t *seed;
    bool odd; /* draw a form for each value; otherwise the shortest */
} packing;

static void pack_int(packing *p, uint64_t v) {
    msgpack_packer *k = &p->packer;
    switch (p->odd ? between(p->seed, 0, 5) : 0) {
    case 1:
        msgpack_pack_fix_uint64(k, v);
        break;
    case 2:
        msgpack_pack_fix_int64(k, (int64_t)v);
        break;
    case 3:
        msgpack_pack_double(k, (double)v);
        break;
    case 4:
        if (v <= UINT32_MAX) {
            msgpack_pack_fix_uint32(k, (uint32_t)v);
            break;
        }
        msgpack_pack_uint64(k, v);
        break;
    case 5:
        if (v <= 1 << 24) {
            msgpack_pack_float(k, (float)v);
            break;
        }
        msgpack_pack_int64(k, (int64_t)v);
        break;
    default:
        msgpack_pack_uint64(k, v);
    }
}

static void pack_bytes(packing *p, const void *bytes, size_t len, bool text) {
    if (p->odd && draw(p->seed) % 2) {
        text = !text;
    }
    if (text) {
        msgpack_pack_str(&p->packer, len);
        msgpack_pack_str_body(&p->packer, bytes, len);
    } else {
        msgpack_pack_bin(&p->packer, len);
        msgpack_pack_bin_body(&p->packer, bytes, len);
    }
}

static void pack_slice(packing *p, idp_slice slice, bool text) {
    pack_bytes(p, slice.ptr, slice.len, text);
}

static void pack_word(packing *p, const char *word) {
    pack_bytes(p, word, strlen(word), true);
}

static void pack_token(packing *p, idp_token token) {
    uint8_t bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(token.epoch >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(token.sequence >> (56 - 8 * i));
    }
    pack_bytes(p, bytes, sizeof bytes, false);
}

static void pack_acquire(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 7);
    pack_slice(p, r->ns, true);
    pack_slice(p, r->key, true);
    pack_slice(p, r->fingerprint, false);
    pack_slice(p, r->nonce, false);
    pack_int(p, r->lease_ms);
    pack_int(p, r->ttl_ms);
    msgpack_pack_map(&p->packer, 2);
    pack_word(p, "wait_ms");
    pack_int(p, r->wait_ms);
    pack_word(p, "on_orphan");
    pack_word(p, r->on_orphan == IDP_REPORT ? "report" : "takeover");
}

static void pack_claim(packing *p, const idp_request *r, size_t params) {
    msgpack_pack_array(&p->packer, params);
    pack_slice(p, r->ns, true);
    pack_slice(p, r->key, true);
    pack_token(p, r->token);
}

static void pack_hello(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 1);
    msgpack_pack_map(&p->packer, 3);
    pack_word(p, "secret");
    pack_slice(p, r->secret, true);
    pack_word(p, "shard");
    pack_int(p, r->shard);
    pack_word(p, "client");
    pack_slice(p, r->client, true);
}

static void pack_reload(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 1);
    msgpack_pack_map(&p->packer, 2);
    pack_word(p, "force");
    r->force ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer);
    pack_word(p, "dry_run");
    r->dry_run ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer);
}

static void pack_command(packing *p, const idp_request *r) {
    bool loss = r->method != IDP_SWITCHOVER, node = r->ns.len > 0;
    msgpack_pack_array(&p->packer, 1);
    msgpack_pack_map(&p->packer, (size_t)loss + node);
    if (node) {
        pack_word(p, "node");
        pack_slice(p, r->ns, true);
    }
    if (loss) {
        pack_word(p, "accept_loss");
        r->accept_loss ? msgpack_pack_true(&p->packer)
                       : msgpack_pack_false(&p->packer);
    }
}

#define ORACLE_PACK
#include "tests/unit/proto/oracle_decide.h"

static void pack_params(packing *p, const idp_request *r) {
    switch (r->method) {
    case IDP_ACQUIRE:
        pack_acquire(p, r);
        break;
    case IDP_COMPLETE:
        pack_claim(p, r, 6);
        pack_slice(p, r->result, false);
        pack_int(p, r->ttl_ms);
        msgpack_pack_map(&p->packer, 1);
        pack_word(p, "class");
        pack_word(p, idp_class_name(r->class));
        break;
    case IDP_RELEASE:
        pack_claim(p, r, 4);
        msgpack_pack_map(&p->packer, 1);
        pack_word(p, "unbind");
        r->unbind ? msgpack_pack_true(&p->packer)
                  : msgpack_pack_false(&p->packer);
        break;
    case IDP_RENEW:
        pack_claim(p, r, 4);
        pack_int(p, r->lease_ms);
        break;
    case IDP_INSPECT:
    case IDP_PEEK:
        msgpack_pack_array(&p->packer, 2);
        pack_slice(p, r->ns, true);
        pack_slice(p, r->key, true);
        break;
    case IDP_RESOLVE:
    case IDP_ERASE:
    case IDP_LIST:
    case IDP_EVENTS:
    case IDP_CLIENTS:
    case IDP_KILL:
    case IDP_CONFIG:
    case IDP_OFFER:
        pack_operator(p, r);
        break;
    case IDP_HELLO:
        pack_hello(p, r);
        break;
    case IDP_PROMOTE:
    case IDP_DETACH:
    case IDP_SWITCHOVER:
        pack_command(p, r);
        break;
    case IDP_METRICS:
        msgpack_pack_array(&p->packer, 1);
        msgpack_pack_map(&p->packer, 1);
        pack_word(p, "open_metrics");
        r->open_metrics ? msgpack_pack_true(&p->packer)
                        : msgpack_pack_false(&p->packer);
        break;
    case IDP_RELOAD:
        pack_reload(p, r);
        break;
    default:
        msgpack_pack_array(&p->packer, 0);
    }
}

static void pack_request(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 4);
    pack_int(p, 0);
    pack_int(p, r->msgid);
    pack_word(p, idp_method_name(r->method));
    pack_params(p, r);
}

/* Comparing --------------------------------------------------------------- */

/* Is it one whole object to msgpack-c? */
static void check_unpacks(const uint8_t *bytes, size_t len, uint64_t seed) {
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t at = 0;
    msgpack_unpack_return is =
        msgpack_unpack_next(&unpacked, (const char *)bytes, len, &at);
    cr_assert_eq(is, MSGPACK_UNPACK_SUCCESS, "seed %llu",
                 (unsigned long long)seed);
    cr_assert_eq(at, len, "seed %llu", (unsigned long long)seed);
    cr_assert_eq(unpacked.data.type, MSGPACK_OBJECT_ARRAY);
    cr_assert_eq(unpacked.data.via.array.size, 4);
    msgpack_unpacked_destroy(&unpacked);
}

static void check_seed(uint64_t first, bool odd) {
    uint64_t seed = first;
    idp_request request = some_request(&seed), read;
    msgpack_sbuffer buffer;
    msgpack_sbuffer_init(&buffer);
    packing p = {.seed = &seed, .odd = odd};
    msgpack_packer_init(&p.packer, &buffer, msgpack_sbuffer_write);
    pack_request(&p, &request);

    idp_read_fault fault;
    size_t frame_bytes;
    idp_read is = idp_request_read((const uint8_t *)buffer.data, buffer.size,
                                   &limits, &read, &frame_bytes, &fault);
    cr_assert_eq(is, IDP_READ_WHOLE, "seed %llu: %s", (unsigned long long)first,
                 fault.text);
    cr_assert_eq(frame_bytes, buffer.size);
    cr_assert(idt_request_same(&request, &read), "seed %llu",
              (unsigned long long)first);

    uint8_t written[2048];
    size_t len = idp_request_write(written, sizeof written, &read);
    cr_assert_gt(len, 0);
    check_unpacks(written, len, first);
    is = idp_request_read(written, len, &limits, &read, &frame_bytes, &fault);
    cr_assert_eq(is, IDP_READ_WHOLE);
    cr_assert(idt_request_same(&request, &read), "seed %llu",
              (unsigned long long)first);
    msgpack_sbuffer_destroy(&buffer);
}

static uint64_t first_seed(void) {
    const char *given = getenv("IDEM_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof pool; i++) {
        pool[i] = (uint8_t)(i * 7 + 13);
    }
    return seed;
}

Test(oracle, requests_in_shortest_form) {
    uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 50000; i++) {
        check_seed(seed + i, false);
    }
}

Test(oracle, requests_in_any_form) {
    uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 50000; i++) {
        check_seed(seed + i, true);
    }
}

static idp_answer some_answer(uint64_t *seed) {
    idp_answer a = {0};
    a.outcome = (idp_outcome)between(seed, 0, IDP_OUTCOME_COUNT - 1);
    a.state = (idp_state)between(seed, 0, IDP_STATE_COUNT - 1);
    a.previous = (idp_previous)between(seed, 0, 2);
    a.class = (idp_class)between(seed, 0, 1);
    a.kept = draw(seed) % 2;
    a.has_result = draw(seed) % 2;
    a.attempt = (uint32_t)(draw(seed) >> between(seed, 32, 63));
    a.token = (idp_token){draw(seed), draw(seed)};
    a.lease_ms = draw(seed) >> between(seed, 11, 63);
    a.lease_left_ms = draw(seed) >> between(seed, 11, 63);
    a.age_ms = draw(seed) >> between(seed, 11, 63);
    a.ttl_left_ms = draw(seed) >> between(seed, 11, 63);
    a.result = some_bytes(seed, 0, 800);
    a.result_bytes = a.result.len;
    return a;
}

Test(oracle, answers_unpack) {
    uint64_t first = first_seed();
    for (uint64_t i = 0; i < 50000; i++) {
        uint64_t seed = first + i;
        uint8_t bytes[2048];
        idp_answer answer = some_answer(&seed);
        uint32_t msgid = (uint32_t)draw(&seed);
        size_t len = idp_answer_write(bytes, sizeof bytes, msgid, &answer);
        cr_assert(len > 0 && len <= idp_answer_write_bound(&answer));
        check_unpacks(bytes, len, first + i);
    }
}

/* Five bytes at which msgpack-c would reserve 8 GiB: they never reach it, and
 * here they cost nothing. */
Test(oracle, an_announced_count_is_not_believed) {
    static const uint8_t bombs[][16] = {
        {0xdd, 0x0f, 0xff, 0xff, 0xff},
        {0x94, 0x00, 0x07, 0xa1, 'x', 0xdd, 0x0f, 0xff, 0xff, 0xff},
        {0x94, 0x00, 0x07, 0xa1, 'x', 0x91, 0xdf, 0x0f, 0xff, 0xff, 0xff},
        {0x94, 0x00, 0x07, 0xa1, 'x', 0x91, 0xdb, 0xff, 0xff, 0xff, 0xff},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        idp_request request;
        idp_read_fault fault;
        size_t frame_bytes;
        cr_assert_eq(idp_request_read(bombs[i], 11, &limits, &request,
                                      &frame_bytes, &fault),
                     IDP_READ_BROKEN, "bomb %zu", i);
    }
}
