/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan.c -- looking through a shard's records while it is used: each that
 * stays is seen, and seen once, whatever the table does meanwhile. */
#include "server/core/scan.h"

#include "tests/lib/rng.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

#define MIB     (1024u * 1024)
#define STAY    2000u
#define NAMES   24000u
#define TTL_MS  86400000u
#define A_LEASE 1000u

static idt_mem mem;
static ids_shard *shard;
static uint32_t seen[NAMES];    /* how often */
static idp_token tokens[NAMES]; /* of those that are there */
static idp_slice by_name = {(const uint8_t *)"shop", 4};
static uint32_t names_asked;

static idp_slice name_of(void *ctx, uint32_t by) {
    (void)ctx;
    return by == 7 ? by_name : (idp_slice){0};
}

static uint32_t number_of(void *ctx, idp_slice name) {
    (void)ctx;
    names_asked++;
    cr_assert_eq(name.len, by_name.len);
    return 9;
}

static void ignore_change(void *ctx, const ids_change *change) {
    (void)ctx, (void)change;
}

static ids_shard *new_shard(void) {
    const ids_shard_config config = {.memory_bytes_max = 256 * (size_t)MIB,
                                     .result_bytes_max = MIB,
                                     .waiters_per_key_max = 8,
                                     .waiters_max = 64,
                                     .on_change = ignore_change,
                                     .by_name = name_of,
                                     .by_number = number_of};
    return world_shard(&mem, config);
}

static void begin(void) {
    shard = new_shard();
}

static void end(void) {
    world_shard_free(shard, &mem);
}

TestSuite(scan, .init = begin, .fini = end);

static idp_answer call(uint64_t now_ms, idp_request *request, uint32_t by) {
    idp_answer answer;
    idp_error error;
    ids_call c = {.request = request,
                  .hash = world_key_hash(NULL, request->ns, request->key),
                  .now_ms = now_ms,
                  .asker = 1,
                  .by = by};
    cr_assert_eq(ids_shard_call(shard, &c, &answer, &error), IDS_ANSWERED);
    return answer;
}

static void add(uint64_t number, uint64_t now_ms) {
    idp_request r = {.method = IDP_ACQUIRE,
                     .ns = text(""),
                     .key = world_key(number),
                     .lease_ms = A_LEASE,
                     .ttl_ms = TTL_MS};
    idp_answer answer = call(now_ms, &r, 7);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED);
    tokens[number] = answer.token;
}

static void take(uint64_t number, uint64_t now_ms) {
    idp_request r = {.method = IDP_RELEASE,
                     .ns = text(""),
                     .key = world_key(number),
                     .token = tokens[number],
                     .unbind = true};
    cr_assert_eq(call(now_ms, &r, 0).outcome, IDP_OUTCOME_RELEASED);
}

static uint64_t number_in(idp_slice key) {
    uint64_t number;
    cr_assert_eq(key.len, sizeof number);
    memcpy(&number, key.ptr, sizeof number);
    return number;
}

static void note(void *ctx, const ids_sight *sight) {
    (void)ctx;
    uint64_t number = number_in(sight->key);
    cr_assert_lt(number, NAMES);
    seen[number]++;
}

/* Every name that stays was seen once; no other one twice. */
static void check_seen(void) {
    for (uint32_t i = 0; i < NAMES; i++) {
        cr_assert(i >= STAY || seen[i] == 1, "%u: seen %u times", i, seen[i]);
        cr_assert_leq(seen[i], 1, "%u: seen %u times", i, seen[i]);
    }
}

/* The table grows ten times, and shrinks ten times: so much with each step that
 * it is through with that before the scan is. */
static void grow_and_shrink(uint32_t room, uint32_t buckets) {
    ids_scan scan = {.room = room, .seen = note};
    uint32_t count = STAY, steps = 0, rounds = 0;
    bool grows = true, more = true;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < STAY; i++)
        add(i, 0);
    while (more) {
        scan.buckets_max = buckets;
        scan.room = room;
        more = ids_shard_scan(shard, 0, &scan);
        cr_assert(room == UINT32_MAX || scan.room <= room);
        steps++;
        for (uint32_t i = 0; i < 4000; i++)
            if (grows)
                add(count++, 0);
            else
                take(--count, 0);
        if (count + 4000 > NAMES || count == STAY) {
            grows = !grows;
            rounds++;
        }
    }
    cr_assert_gt(steps, 100);
    cr_assert_geq(rounds, 20, "%u", rounds);
    check_seen();
    while (count > STAY)
        take(--count, 0);
    for (uint32_t i = 0; i < STAY; i++)
        take(i, 0);
}

Test(scan, sees_each_once_while_the_table_grows_and_shrinks) {
    grow_and_shrink(UINT32_MAX, 6);
}

Test(scan, and_where_a_page_has_few_rows) {
    grow_and_shrink(3, 8);
    grow_and_shrink(60, 6);
}

Test(scan, a_page_has_no_more_rows_than_it_has_room_for) {
    ids_scan scan = {.seen = note};
    bool more = true;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < STAY; i++)
        add(i, 0);
    for (uint32_t room = 1; more; room = room % 60 + 1) {
        uint32_t before = 0, after = 0;
        for (uint32_t i = 0; i < STAY; i++)
            before += seen[i];
        scan.room = room;
        scan.buckets_max = 1024;
        more = ids_shard_scan(shard, 0, &scan);
        for (uint32_t i = 0; i < STAY; i++)
            after += seen[i];
        cr_assert_eq(after - before, room - scan.room);
        cr_assert(!more || scan.room == 0 || scan.buckets_max == 0 ||
                  after > before);
    }
    check_seen();
}

/* Names of one tag: 50 of each. */
static uint64_t clashing(void *ctx, idp_slice ns, idp_slice key) {
    (void)ctx, (void)ns;
    return world_hash(number_in(key) / 50);
}

Test(scan, pages_are_whole_where_tags_clash) {
    const ids_shard_config config = {.memory_bytes_max = 64 * (size_t)MIB,
                                     .result_bytes_max = MIB,
                                     .waiters_per_key_max = 8,
                                     .waiters_max = 64,
                                     .hash = clashing};
    ids_shard *own = shard;
    idt_mem own_mem = mem;
    shard = world_shard(&mem, config);
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < STAY; i++) {
        idp_request r = {.method = IDP_ACQUIRE,
                         .ns = text(""),
                         .key = world_key(i),
                         .lease_ms = A_LEASE,
                         .ttl_ms = TTL_MS};
        idp_answer answer;
        idp_error error;
        ids_call c = {.request = &r, .hash = clashing(NULL, r.ns, r.key)};
        cr_assert_eq(ids_shard_call(shard, &c, &answer, &error), IDS_ANSWERED);
    }
    ids_scan scan = {.seen = note};
    bool more = true;
    while (more) {
        scan.room = 60;
        scan.buckets_max = 1024;
        more = ids_shard_scan(shard, 0, &scan);
    }
    check_seen();
    world_shard_free(shard, &mem);
    shard = own;
    mem = own_mem;
}

/* What is seen --------------------------------------------------------- */

static ids_sight last;

static void keep(void *ctx, const ids_sight *sight) {
    (void)ctx;
    last = *sight;
}

static bool sees(uint64_t now_ms) {
    ids_scan scan = {
        .buckets_max = UINT32_MAX, .room = UINT32_MAX, .seen = keep};
    last = (ids_sight){.state = IDP_STATE_ABSENT};
    cr_assert_not(ids_shard_scan(shard, now_ms, &scan));
    return last.state != IDP_STATE_ABSENT;
}

Test(scan, tells_a_record_as_of_now) {
    cr_assert_not(sees(0));
    add(1, 100);
    cr_assert(sees(400));
    cr_assert_eq(last.state, IDP_STATE_IN_PROGRESS);
    cr_assert_eq(last.age_ms, 300);
    cr_assert_eq(last.lease_left_ms, A_LEASE - 300);
    cr_assert_eq(last.ttl_left_ms, TTL_MS - 300);
    cr_assert_eq(last.by, 7);
    cr_assert_eq(last.since_ms, 100);
    cr_assert(sees(100 + A_LEASE));
    cr_assert_eq(last.state, IDP_STATE_ORPHANED);
    cr_assert_eq(last.age_ms, 0);
    cr_assert_eq(last.since_ms, 100 + A_LEASE);
    cr_assert_not(sees(100 + TTL_MS));
}

Test(scan, finds_a_record_by_its_hash) {
    ids_sight sight;
    add(1, 0);
    add(2, 0);
    cr_assert(ids_shard_look(
        shard, world_key_hash(NULL, text(""), world_key(2)), 5, &sight));
    cr_assert_eq(number_in(sight.key), 2);
    cr_assert_not(ids_shard_look(
        shard, world_key_hash(NULL, text(""), world_key(3)), 5, &sight));
}

/* Who claimed it ------------------------------------------------------- */

static uint32_t by_of(uint64_t number, uint64_t now_ms, ids_change *change) {
    idp_request r = {
        .method = IDP_INSPECT, .ns = text(""), .key = world_key(number)};
    const ids_call c = {.request = &r,
                        .hash = world_key_hash(NULL, r.ns, r.key),
                        .now_ms = now_ms};
    cr_assert(ids_shard_inspect(shard, &c, change));
    return change->by;
}

Test(scan, who_claimed_is_known_until_the_claim_is_ended) {
    ids_change change;
    add(1, 0);
    cr_assert_eq(by_of(1, 1, &change), 7);
    cr_assert_eq(change.by_name.len, 4);
    cr_assert_eq(by_of(1, A_LEASE, &change), 7, "orphaned, too");
    idp_request r = {.method = IDP_ACQUIRE,
                     .ns = text(""),
                     .key = world_key(1),
                     .lease_ms = A_LEASE,
                     .ttl_ms = TTL_MS};
    idp_token token = call(A_LEASE, &r, IDS_BY_MAX).token;
    cr_assert_eq(by_of(1, A_LEASE, &change), IDS_BY_MAX, "a takeover");
    cr_assert_eq(change.by_name.len, 0);
    r = (idp_request){.method = IDP_COMPLETE,
                      .ns = text(""),
                      .key = world_key(1),
                      .token = token,
                      .result = text("done")};
    call(A_LEASE, &r, 3);
    cr_assert_eq(by_of(1, A_LEASE, &change), 0);
    cr_assert_eq(change.by_name.len, 0);
    add(2, A_LEASE);
    r = (idp_request){.method = IDP_RELEASE,
                      .ns = text(""),
                      .key = world_key(2),
                      .token = tokens[2]};
    call(A_LEASE, &r, 3);
    cr_assert_eq(by_of(2, A_LEASE, &change), 0);
}

Test(scan, and_its_name_goes_with_the_record) {
    ids_change change;
    add(1, 0);
    by_of(1, 1, &change);
    change.number = 0;
    uint64_t hash = world_key_hash(NULL, text(""), world_key(1));
    cr_assert(ids_change_is_sound(&change, MIB));
    cr_assert(ids_shard_put(shard, hash, &change, 1));
    cr_assert_eq(by_of(1, 1, &change), 9);
    cr_assert_eq(names_asked, 1);
    change.state = IDP_STATE_RELEASED;
    change.lease_left_ms = 0;
    change.by_name = by_name;
    cr_assert_not(ids_change_is_sound(&change, MIB), "nobody holds it");
}

Test(scan, a_replica_sees_claims_in_progress_whatever_the_time) {
    add(1, 0);
    ids_shard_follow(shard);
    cr_assert(sees(5 * A_LEASE));
    cr_assert_eq(last.state, IDP_STATE_IN_PROGRESS);
}
