/* SPDX-License-Identifier: Apache-2.0 */
/* contents.c -- see contents.h. */
#include "server/storage/contents.h"

#include "server/worker/server.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LOW_MASK ((1ull << IDP_SEQUENCE_BITS) - 1)
#define CAP_MIN  1024u

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == IDS_CONTENTS_HASH_BYTES,
               "a key of this size");
_Static_assert(crypto_shorthash_siphashx24_BYTES == 16, "two numbers");

void ids_contents_init(ids_contents *contents, const uint8_t *hash_key) {
    memset(contents, 0, sizeof *contents);
    pthread_mutex_init(&contents->lock, NULL);
    contents->keeps_keys = hash_key != NULL;
    if (hash_key)
        memcpy(contents->hash_key, hash_key, IDS_CONTENTS_HASH_BYTES);
}

void ids_contents_fini(ids_contents *contents) {
    pthread_mutex_destroy(&contents->lock);
    free(contents->keys);
    contents->keys = NULL;
}

/* Keys --------------------------------------------------------------------- */

static void change_hash(const ids_contents *contents, const ids_change *change,
                        uint64_t hash[static 2]) {
    uint8_t bytes[1 + IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX];
    size_t len = 1;
    bytes[0] = (uint8_t)change->ns.len;
    if (change->ns.len > 0)
        memcpy(bytes + len, change->ns.ptr, change->ns.len);
    len += change->ns.len;
    memcpy(bytes + len, change->key.ptr, change->key.len);
    len += change->key.len;
    crypto_shorthash_siphashx24((unsigned char *)hash, bytes, len,
                                contents->hash_key);
    hash[0] += hash[0] == 0 && hash[1] == 0;
}

static bool is_free(const ids_contents_key *place) {
    return place->hash[0] == 0 && place->hash[1] == 0;
}

/* Its place, or the free one where it would be. There is one. */
static ids_contents_key *contents_place_of(ids_contents_key *keys, size_t cap,
                                           const uint64_t hash[static 2]) {
    size_t at = hash[0] & (cap - 1);
    while (!is_free(&keys[at]) &&
           (keys[at].hash[0] != hash[0] || keys[at].hash[1] != hash[1]))
        at = (at + 1) & (cap - 1);
    return &keys[at];
}

static const ids_contents_key *find_key(const ids_contents *contents,
                                        const uint64_t hash[static 2]) {
    if (contents->cap == 0)
        return NULL;
    const ids_contents_key *place =
        contents_place_of(contents->keys, contents->cap, hash);
    return is_free(place) ? NULL : place;
}

static bool make_room_for_contents(ids_contents *contents) {
    if (contents->count < contents->cap / 4 * 3)
        return true;
    size_t cap = contents->cap ? contents->cap * 2 : CAP_MIN;
    ids_contents_key *keys = calloc(cap, sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < contents->cap; i++)
        if (!is_free(&contents->keys[i]))
            *contents_place_of(keys, cap, contents->keys[i].hash) =
                contents->keys[i];
    free(contents->keys);
    contents->keys = keys;
    contents->cap = cap;
    return true;
}

/* What is gone keeps its token: whoever has that one still is behind. */
static bool keep_key(ids_contents *contents, const ids_change *change,
                     uint64_t now_ms) {
    uint64_t hash[2];
    if (!make_room_for_contents(contents))
        return false;
    change_hash(contents, change, hash);
    ids_contents_key *place =
        contents_place_of(contents->keys, contents->cap, hash);
    bool is_gone = change->state == IDP_STATE_ABSENT;
    if (is_free(place) && is_gone)
        return true;
    contents->count += is_free(place);
    memcpy(place->hash, hash, sizeof hash);
    place->state = change->state;
    if (is_gone)
        return true;
    place->token = change->token;
    place->ends_ms = now_ms + change->ttl_left_ms;
    return true;
}

/* How far it has come ------------------------------------------------------ */

static void note_newest(ids_contents *contents, idp_token token) {
    uint64_t stream = token.sequence >> IDP_SEQUENCE_BITS;
    uint64_t low = token.sequence & LOW_MASK;
    if (token.epoch < contents->epoch || stream >= IDP_SHARDS_MAX)
        return;
    if (token.epoch > contents->epoch)
        memset(contents->newest, 0, sizeof contents->newest);
    contents->epoch = token.epoch;
    if (low > contents->newest[stream])
        contents->newest[stream] = low;
}

/* It has none of that stream which is as late. */
static bool is_before(const ids_contents *contents, idp_token token) {
    uint64_t stream = token.sequence >> IDP_SEQUENCE_BITS;
    if (token.epoch != contents->epoch)
        return token.epoch > contents->epoch;
    return stream < IDP_SHARDS_MAX &&
           (token.sequence & LOW_MASK) > contents->newest[stream];
}

uint32_t ids_contents_streams(const ids_contents *contents) {
    uint32_t streams = IDP_SHARDS_MAX;
    while (streams > 0 && contents->newest[streams - 1] == 0)
        streams--;
    return streams;
}

bool ids_contents_load(void *ctx, const ids_change *changes, size_t count,
                       uint64_t now_ms) {
    ids_contents *contents = ctx;
    bool good = true;
    pthread_mutex_lock(&contents->lock);
    for (size_t i = 0; i < count && good; i++) {
        if (changes[i].state != IDP_STATE_ABSENT)
            note_newest(contents, changes[i].token);
        if (contents->keeps_keys && !ids_receipt_is(changes[i].ns))
            good = keep_key(contents, &changes[i], now_ms);
    }
    pthread_mutex_unlock(&contents->lock);
    return good;
}

/* Two of them -------------------------------------------------------------- */

/* Under one token a claim is first in progress, then ended, then gone. */
static int stage_of(idp_state state) {
    switch (state) {
    case IDP_STATE_ABSENT:
        return 3;
    case IDP_STATE_COMPLETED:
    case IDP_STATE_RELEASED:
        return 2;
    case IDP_STATE_IN_PROGRESS:
    case IDP_STATE_ORPHANED:
    case IDP_STATE_COUNT:
        break;
    }
    return 1;
}

static bool is_later(const ids_contents_key *a, const ids_contents_key *b) {
    if (a->token.epoch != b->token.epoch)
        return a->token.epoch > b->token.epoch;
    if (a->token.sequence != b->token.sequence)
        return a->token.sequence > b->token.sequence;
    return stage_of(a->state) > stage_of(b->state);
}

/* Nobody misses it: it is gone, or its retention is over. A claim in progress
 * is never over here: whoever is promoted gives it all of its time anew. */
static bool key_is_over(const ids_contents *contents,
                        const ids_contents_key *key) {
    return key->state == IDP_STATE_ABSENT ||
           (stage_of(key->state) == 2 && key->ends_ms <= contents->clock_ms);
}

uint64_t ids_contents_records(const ids_contents *contents) {
    uint64_t records = 0;
    for (size_t i = 0; i < contents->cap; i++)
        records += !is_free(&contents->keys[i]) &&
                   !key_is_over(contents, &contents->keys[i]);
    return records;
}

static ids_contents_side count_side(const ids_contents *here,
                                    const ids_contents *there) {
    ids_contents_side side = {0, 0};
    for (size_t i = 0; i < here->cap; i++) {
        const ids_contents_key *key = &here->keys[i];
        if (is_free(key))
            continue;
        const ids_contents_key *other = find_key(there, key->hash);
        if (other)
            side.more += is_later(key, other);
        else if (!key_is_over(here, key) && is_before(there, key->token))
            side.more++;
        else if (!key_is_over(here, key))
            side.unclear++;
    }
    return side;
}

ids_contents_verdict ids_contents_compare(const ids_contents *first,
                                          const ids_contents *second,
                                          ids_contents_side sides[static 2]) {
    sides[0] = count_side(first, second);
    sides[1] = count_side(second, first);
    bool first_has_all = sides[1].more + sides[1].unclear == 0;
    bool second_has_all = sides[0].more + sides[0].unclear == 0;
    if (first_has_all)
        return second_has_all ? IDS_CONTENTS_SAME : IDS_CONTENTS_FIRST;
    if (second_has_all)
        return IDS_CONTENTS_SECOND;
    return sides[0].more > 0 && sides[1].more > 0 ? IDS_CONTENTS_EACH
                                                  : IDS_CONTENTS_UNKNOWN;
}
