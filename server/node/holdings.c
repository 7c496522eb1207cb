/* SPDX-License-Identifier: Apache-2.0 */
/* holdings.c -- see holdings.h. */
#include "server/node/holdings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT_MASK      ((UINT64_C(1) << IDP_SEQUENCE_BITS) - 1)
#define BUCKETS_AT_ONCE 4096

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t mix_bytes(uint64_t hash, idp_slice bytes) {
    hash = mix(hash, bytes.len);
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The same on both nodes: no accident makes two sums equal, and nobody gains by
 * making them so. */
static uint64_t key_of(const ids_change *c) {
    uint64_t hash = mix_bytes(UINT64_C(0xcbf29ce484222325), c->ns);
    hash = mix_bytes(hash, c->key);
    return mix(hash, c->key.len);
}

static uint64_t sum_of(uint64_t key, const ids_change *c) {
    uint64_t hash = mix(mix(key, c->token.epoch), c->token.sequence);
    return mix(hash, (uint64_t)c->state);
}

static void note_token(ids_holdings *h, idp_token token) {
    uint64_t stream = token.sequence >> IDP_SEQUENCE_BITS;
    uint64_t count = token.sequence & COUNT_MASK;
    if (token.epoch < h->epoch || stream >= IDP_STREAMS_MAX)
        return;
    if (token.epoch > h->epoch) {
        h->epoch = token.epoch;
        h->streams = 0;
    }
    while (h->streams <= stream)
        h->newest[h->streams++] = 0;
    assert(stream < h->streams && h->streams <= IDP_STREAMS_MAX);
    if (count > h->newest[stream])
        h->newest[stream] = count;
}

static void note_held_token(void *ctx, const ids_change *c) {
    ids_holdings *h = ctx;
    uint64_t key = key_of(c);
    idp_part *part = &h->parts[key % IDP_PARTS_MAX];
    bool completed = c->state == IDP_STATE_COMPLETED;
    assert(c->state != IDP_STATE_ABSENT && c->number == 0);
    h->records++;
    h->completed += completed;
    part->records++;
    part->completed += completed;
    h->sum += sum_of(key, c);
    assert(h->completed <= h->records && part->completed <= part->records);
    note_token(h, c->token);
}

void ids_holdings_count(ids_holdings *h, ids_shard *shard, uint64_t now_ms) {
    uint64_t cursor = 0;
    assert(!ids_shard_is_walked(shard));
    while (ids_shard_walk(shard, now_ms, &cursor, BUCKETS_AT_ONCE,
                          note_held_token, h)) {
    }
    ids_shard_walk_end(shard);
}

void ids_holdings_report(const ids_holdings *h, idp_replication *to) {
    assert(h->streams <= IDP_STREAMS_MAX && h->completed <= h->records);
    if (!h->stand)
        return;
    to->records = h->records;
    to->completed = h->completed;
    to->token_epoch = h->epoch;
    to->tokens_count = h->streams;
    for (uint32_t i = 0; i < h->streams; i++)
        to->tokens[i] = h->newest[i];
    to->parts_count = IDP_PARTS_MAX;
    memcpy(to->parts, h->parts, sizeof to->parts);
    snprintf(to->contents, sizeof to->contents, "%016" PRIx64, h->sum);
}
