/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_shard.c -- bytes, read as operations into a shard and the naive model.
 *
 * The first bytes choose the kind of world, then every operation takes a few.
 * The fuzzer finds orders of calls that random numbers would hardly meet;
 * what is right the model says. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { OPS_MAX = 3000, KEYS = 4 };

static const uint8_t pool[WORLD_RESULT_MAX + 64] =
    "k0k1k2k3k4k5k6k7k8k9kakbkckdkekf";

typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
} input;

static uint8_t take(input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

static idp_slice some_bytes(uint8_t choice, size_t len_max) {
    size_t len = choice >> 3;
    if ((choice & 7) == 0) {
        return (idp_slice){NULL, 0};
    }
    len = len == 31 ? len_max : len < len_max ? len + 1 : len_max;
    return (idp_slice){pool + (choice & 7), len};
}

/* Small times, and now and then the ends of what is allowed. */
static uint64_t some_ms(uint8_t choice, uint64_t max) {
    if (choice >= 250) {
        return max - (255 - choice);
    }
    return 1 + (choice & 0x3f) * (choice & 0x40 ? 17u : 1u);
}

static void read_acquire(input *in, idp_request *q) {
    uint8_t flags = take(in);
    q->fingerprint = some_bytes(take(in), IDP_FINGERPRINT_BYTES_MAX);
    q->nonce = some_bytes(take(in), IDP_NONCE_BYTES_MAX);
    q->ttl_ms = some_ms(take(in), IDP_TTL_MS_MAX);
    uint64_t lease_ms = some_ms(take(in), IDP_LEASE_MS_MAX);
    q->lease_ms = (uint32_t)(lease_ms < q->ttl_ms ? lease_ms : q->ttl_ms);
    if (q->lease_ms > IDP_LEASE_MS_MAX) {
        q->lease_ms = IDP_LEASE_MS_MAX;
    }
    q->on_orphan = flags & 1 ? IDP_REPORT : IDP_TAKEOVER;
    if (flags & 2) {
        q->wait_ms = (uint32_t)some_ms(take(in), IDP_WAIT_MS_MAX);
    }
}

/* The token of one of the last grants, or one that is foreign. */
static idp_token read_token(input *in, const world *w, uint32_t key) {
    idp_state state;
    uint8_t choice = take(in);
    const idt_model_record *r = idt_model_find(
        w->model, w->keys[key].ns, w->keys[key].key, w->now_ms, &state);
    if (choice < 128 && r) {
        return r->token;
    }
    if (choice < 192 && w->grants > (choice & 63)) {
        return (idp_token){w->config.epoch, w->grants - (choice & 63)};
    }
    return (idp_token){w->config.epoch + 1, choice};
}

static void read_change(input *in, const world *w, uint32_t key,
                        idp_request *q) {
    uint8_t flags = take(in);
    q->token = read_token(in, w, key);
    switch (q->method) {
    case IDP_COMPLETE:
        q->class = flags & 1 ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
        q->result_too_large = (flags & 6) == 6;
        q->ttl_ms = flags & 8 ? some_ms(take(in), IDP_TTL_MS_MAX) : 0;
        if (!q->result_too_large) {
            q->result = some_bytes(take(in), w->config.result_bytes_max + 1);
            q->result.len -= q->result.len > 0 && (flags & 16);
        }
        break;
    case IDP_RELEASE:
        q->unbind = flags & 1;
        break;
    default:
        q->lease_ms = (uint32_t)some_ms(take(in), IDP_LEASE_MS_MAX);
    }
}

static bool pass_time(input *in, world *w, bool asleep) {
    uint8_t choice = take(in);
    uint64_t to = w->now_ms + some_ms(choice, IDP_TTL_MS_MAX) - 1;
    if (w->now_ms > 1ull << 40) {
        return true;
    }
    if (asleep) {
        world_oversleep(w, to);
        return true;
    }
    return world_advance(w, to, 1 + (choice & 3));
}

static bool run_op(input *in, world *w) {
    uint8_t op = take(in);
    uint32_t key = op & (KEYS - 1);
    ids_asker asker = (op >> 2) & 3;
    idp_request q = {0};
    switch (op >> 4) {
    case 12:
    case 13:
        return pass_time(in, w, false);
    case 14:
        return (op & 1) ? world_forget(w, asker) : pass_time(in, w, true);
    case 15:
        return op == 0xff   ? world_drain(w)
               : op == 0xfe ? world_move(w, 3)
                            : pass_time(in, w, false);
    case 0:
        q.method = IDP_PEEK;
        return world_call(w, key, &q, asker);
    case 1:
    case 2:
    case 3:
        q.method = (op >> 4) == 1   ? IDP_COMPLETE
                   : (op >> 4) == 2 ? IDP_RELEASE
                                    : IDP_RENEW;
        read_change(in, w, key, &q);
        return world_call(w, key, &q, asker);
    default:
        q.method = IDP_ACQUIRE;
        read_acquire(in, &q);
        return world_call(w, key, &q, asker);
    }
}

static void choose_keys(world_key *keys, bool clash) {
    for (uint32_t i = 0; i < WORLD_KEYS_MAX; i++) {
        keys[i] = (world_key){{pool, i & 1}, {pool + i * 2, 2}, 0};
        keys[i].hash = clash ? 77 : (i + 1) * 0x9e3779b97f4a7c15u;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static world w;
    static world_key keys[WORLD_KEYS_MAX];
    input in = {bytes, bytes + len};
    uint8_t kind = take(&in);
    world_config config = {.epoch = 3,
                           .memory_bytes_max = 4u << 20,
                           .result_bytes_max = kind & 1 ? 3000 : 20,
                           .waiters_per_key_max = kind & 2 ? 2 : 16,
                           .waiters_max = kind & 4 ? 3 : 40,
                           .fail_nth = kind & 8 ? take(&in) : 0,
                           .fail_on = kind & 16,
                           .memory_short = kind & 8};
    choose_keys(keys, kind & 32);
    if (!world_open(&w, &config, keys)) {
        return 0;
    }
    bool good = true;
    for (int i = 0; good && i < OPS_MAX && in.at < in.end; i++) {
        good = run_op(&in, &w);
    }
    good = good && world_run_out(&w);
    if (!world_close(&w) || !good) {
        fprintf(stderr, "%s\n", w.failure);
        abort();
    }
    return 0;
}
