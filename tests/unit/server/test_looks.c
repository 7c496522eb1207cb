/* SPDX-License-Identifier: Apache-2.0 */
/* test_looks.c -- who claimed a key, who is connected and what took long, over
 * workers without sockets; and who may see what of it. */
#include "proto/clients.h"
#include "proto/list.h"
#include "tests/unit/server/looks.h"

TestSuite(looks, .init = begin, .fini = end);

/* inspect --------------------------------------------------------------- */

static idp_inspected inspect(caller *c, const char *key) {
    idp_inspected one;
    idp_reply reply = ask(c, (idp_request){.method = IDP_INSPECT,
                                           .ns = text_of("t"),
                                           .key = text_of(key)});
    cr_assert_not(reply.is_error, "%s", error_of(reply));
    cr_assert(idp_inspected_read(reply.result, &one));
    return one;
}

static bool is(idp_slice slice, const char *what) {
    return slice.len == strlen(what) && memcmp(slice.ptr, what, slice.len) == 0;
}

Test(looks, who_claimed_is_told_right_after_the_grant_on_each_worker) {
    const char *key;
    for (uint32_t loop = 0; loop < 3; loop++) {
        key = key_of(&t, loop, loop);
        claim(&shop, "t", key, 60000);
        idp_inspected one = inspect(&ops, key);
        cr_assert_eq(one.state, IDP_STATE_IN_PROGRESS);
        cr_assert(is(one.by.user, "shop"));
        cr_assert(is(one.by.address, "?"), "no socket is one here");
        cr_assert(one.has_token);
        one = inspect(&shop, key);
        cr_assert(is(one.by.user, "shop"));
        cr_assert_null(one.by.address.ptr, "it may not resolve");
        cr_assert_not(one.has_token);
    }
}

Test(looks, and_after_a_reload_and_not_once_it_is_ended) {
    claim(&shop, "t", "k", 60000);
    harness_credentials(&t, file_of("claim=t,u read=t"));
    harness_run(&t);
    harness_pass(&t, 0);
    cr_assert(is(inspect(&ops, "k").by.user, "shop"));
    claim(&shop, "t", "k2", 60000);
    idp_inspected two = inspect(&ops, "k2");
    cr_assert(is(two.by.user, "shop"));
    idp_reply reply = ask(&shop, (idp_request){.method = IDP_COMPLETE,
                                               .ns = text_of("t"),
                                               .key = text_of("k2"),
                                               .token = two.token,
                                               .result = text_of("paid")});
    cr_assert_not(reply.is_error);
    two = inspect(&ops, "k2");
    cr_assert_eq(two.state, IDP_STATE_COMPLETED);
    cr_assert_null(two.by.user.ptr);
    cr_assert(is(two.result, "paid"));
    cr_assert_null(inspect(&shop, "k2").result.ptr);
    cr_assert_eq(inspect(&shop, "k2").result_bytes, 4);
    cr_assert_eq(inspect(&shop, "none").state, IDP_STATE_ABSENT);
}

Test(looks, who_has_gone_is_still_known) {
    claim(&shop, "t", "k", 500);
    caller_close(&shop);
    harness_pass(&t, 700);
    idp_inspected one = inspect(&ops, "k");
    cr_assert_eq(one.state, IDP_STATE_ORPHANED);
    cr_assert(is(one.by.user, "shop"));
    caller_open(&shop, &t, 0);
}

/* Numbers are few: those that nobody has any more are used again. */
Test(looks, numbers_of_holders_come_back) {
    const ids_who nobody = {0};
    char name[16];
    ids_holders *holders = t.server.holders;
    claim(&shop, "t", "k", 60000);
    uint32_t first = 0, by = 1, count = 0;
    while (by) {
        snprintf(name, sizeof name, "u%u", count++);
        by = ids_holders_enter(holders, name, &nobody, IDS_CLOCK_START_MS);
        first = first ? first : by;
        ids_holders_leave(holders, by, IDS_CLOCK_START_MS);
    }
    cr_assert_eq(count, IDS_HOLDERS_MAX, "all but the claim's own");
    scan_all();
    cr_assert_eq(ids_holders_enter(holders, "late", &nobody, 0), 0,
                 "what was under way may come yet");
    harness_pass(&t, IDS_HOLDER_GRACE_MS);
    scan_all();
    by = ids_holders_enter(holders, "late", &nobody, IDS_CLOCK_START_MS);
    cr_assert_gt(by, 0);
    ids_holders_leave(holders, by, IDS_CLOCK_START_MS);
    cr_assert(is(inspect(&ops, "k").by.user, "shop"), "its number is its own");
}

Test(looks, a_name_alone_stays) {
    ids_holders *holders = t.server.holders;
    uint32_t by = ids_holders_name(holders, text_of("till"));
    cr_assert_gt(by, 0);
    cr_assert_eq(ids_holders_name(holders, text_of("till")), by);
    cr_assert_eq(ids_holders_name(holders, text_of("")), 0);
    cr_assert(is(ids_holders_user(holders, by), "till"));
    for (uint32_t i = 1; i < IDS_HOLDER_NAMES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        cr_assert_gt(ids_holders_name(holders, text_of(name)), 0, "%u", i);
    }
    cr_assert_eq(ids_holders_name(holders, text_of("one more")), 0);
}

/* clients, kill --------------------------------------------------------- */

typedef struct found {
    uint32_t count;
    char shop_id[IDP_CURSOR_BYTES_MAX + 1];
    uint64_t shop_waiting;
    bool has_address;
} found;

static found find_clients(caller *c) {
    found f = {0};
    idp_request request = {.method = IDP_CLIENTS};
    char at[IDP_CURSOR_BYTES_MAX];
    idp_clients_page page;
    do {
        idp_reply reply = ask(c, request);
        cr_assert_not(reply.is_error, "%s", error_of(reply));
        cr_assert(idp_clients_page_read(reply.result, &page));
        for (uint32_t i = 0; i < page.row_count; i++, f.count++) {
            const idp_client_row *row = &page.rows[i];
            f.has_address |= row->address.ptr != NULL;
            if (!is(row->user, "shop"))
                continue;
            f.shop_waiting = row->waiting;
            snprintf(f.shop_id, sizeof f.shop_id, "%.*s", (int)row->id.len,
                     (const char *)row->id.ptr);
        }
        if (page.cursor.ptr)
            memcpy(at, page.cursor.ptr, page.cursor.len);
        request.cursor = (idp_slice){page.cursor.ptr ? (uint8_t *)at : NULL,
                                     page.cursor.len};
    } while (page.cursor.ptr);
    return f;
}

static const char *kill_of(caller *c, const char *id) {
    static char word[32];
    bool was_there;
    idp_reply reply =
        ask(c, (idp_request){.method = IDP_KILL, .cursor = text_of(id)});
    if (reply.is_error)
        return error_of(reply);
    cr_assert(idp_killed_read(reply.result, &was_there));
    snprintf(word, sizeof word, "%s", was_there ? "killed" : "unknown");
    return word;
}

Test(looks, a_client_is_killed_its_waiters_are_forgotten_its_claims_stay) {
    claim(&ops, "t", "held", 60000);
    claim(&shop, "t", "own", 60000);
    ask_acquire(&shop, 9, "held", 30000);
    harness_run(&t);
    found f = find_clients(&ops);
    cr_assert_eq(f.count, 3);
    cr_assert_eq(f.shop_waiting, 1);
    cr_assert(f.has_address);
    cr_assert_str_eq(kill_of(&ops, f.shop_id), "killed");
    harness_run(&t);
    harness_pass(&t, 0);
    cr_assert_null(shop.conn, "closed");
    cr_assert_eq(find_clients(&ops).count, 2);
    for (uint32_t i = 0; i < 3; i++) {
        ids_shard_stats stats;
        ids_shard_stats_get(t.workers[i]->shard, &stats);
        cr_assert_eq(stats.waiters, 0);
    }
    cr_assert(is(inspect(&ops, "own").by.user, "shop"), "the claim stays");
    cr_assert_str_eq(kill_of(&ops, f.shop_id), "unknown", "only once");
    caller_close(&shop);
    caller_open(&shop, &t, 0);
}

Test(looks, who_may_not_kill_does_not_and_nobody_himself) {
    char own[32];
    snprintf(own, sizeof own, "%016llx", (unsigned long long)ops.conn->asker);
    cr_assert_str_eq(kill_of(&shop, own),
                     "DENIED kill: \"shop\" has no grant admin");
    cr_assert_str_eq(kill_of(&ops, own),
                     "BAD_REQUEST that is the connection that asks");
    cr_assert_str_eq(kill_of(&ops, "ffffffffffffffff"), "unknown");
    cr_assert_str_eq(kill_of(&ops, "12"),
                     "BAD_REQUEST an id has 16 hexadecimal digits, as clients "
                     "tells it");
}

Test(looks, addresses_are_for_who_may_administer) {
    harness_credentials(&t, file_of("claim=t stats"));
    harness_run(&t);
    harness_pass(&t, 0);
    cr_assert_not(find_clients(&shop).has_address);
    cr_assert_eq(find_clients(&shop).count, 3);
}

/* slow ------------------------------------------------------------------ */

Test(looks, what_took_long_is_kept_the_newest_first) {
    idp_slow slow;
    ids_worker *worker = t.workers[1];
    for (unsigned i = 1; i <= IDP_SLOW_ROWS_MAX + 5; i++) {
        worker->work[0] = i;
        ids_slow_log_note(worker, IDS_SLOW_TURN_NS + i * 1000);
    }
    ids_slow_log_held(&worker->slow, IDS_WAITED_FOR_REPLICA, 150000);
    ids_slow_log_held(&worker->slow, IDS_WAITED_FOR_REPLICA, 300000);
    cr_assert(ids_slow_log_wants(&worker->slow, 0));
    ids_slow_log_note(worker, 0);
    cr_assert_not(ids_slow_log_wants(&worker->slow, IDS_SLOW_TURN_NS));
    idp_reply reply = ask(&ops, (idp_request){.method = IDP_SLOW});
    cr_assert(idp_slow_read(reply.result, &slow));
    cr_assert_eq(slow.turn_count, IDP_SLOW_ROWS_MAX);
    cr_assert_eq(slow.turns[0].work[0], IDP_SLOW_ROWS_MAX + 5);
    cr_assert_eq(slow.turns[0].us, 10000 + IDP_SLOW_ROWS_MAX + 5);
    cr_assert_eq(slow.turns[0].loop, 1);
    cr_assert_eq(slow.hold_count, 1);
    cr_assert_eq(slow.holds[0].us, 300000);
    cr_assert_eq(slow.holds[0].replies, 2);
    cr_assert(slow.holds[0].is_replica);
}
