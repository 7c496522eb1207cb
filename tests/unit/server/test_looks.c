/* SPDX-License-Identifier: Apache-2.0 */
/* test_looks.c -- what an operator looks at, over workers without sockets:
 * walks and who holds them, who claimed a key, who is connected, and who may
 * see what of it. */
#include "proto/clients.h"
#include "proto/list.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "server/admin/looks.h"
#include "server/admin/walks.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define RANDOM_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define SHOP     "idm_shop_" RANDOM_A
#define OPS      "idm_ops_" RANDOM_B
#define SCAN_MS  1000
#define KEYS     300u

static harness t;
static caller shop, ops, other;

static const char *line_of(const char *secret, const char *name,
                           const char *grants) {
    static char lines[2][256];
    static int next;
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    char *line = lines[next++ % 2];
    crypto_hash_sha256(hash, (const uint8_t *)secret, strlen(secret));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, sizeof lines[0], "%s sha256:%s %s\n", name, hex, grants);
    return line;
}

static const char *file_of(const char *of_shop) {
    static char text[1024];
    snprintf(text, sizeof text, "%s%s", line_of(SHOP, "shop", of_shop),
             line_of(OPS, "ops", "claim=* read=* resolve=* admin stats"));
    return text;
}

static void plan(void) {
    harness_plan(&t, 3);
    t.server.scan_interval_ms = SCAN_MS;
    t.server.buffer_bytes_max = 1u << 20;
    t.server.unsent_bytes_max = 1u << 20;
    cr_assert(ids_looks_open(&t.server));
}

static void begin(void) {
    plan();
    harness_credentials(&t, file_of("claim=t read=t"));
    harness_open(&t);
    caller_open(&shop, &t, 0);
    caller_open(&ops, &t, 1);
    caller_open(&other, &t, 2);
    ask_hello(&shop, 1, -1, SHOP);
    cr_assert_str_eq(caller_hear(&shop), "1 map");
    ask_hello(&ops, 1, -1, OPS);
    cr_assert_str_eq(caller_hear(&ops), "1 map");
}

static void end(void) {
    caller_close(&shop);
    caller_close(&ops);
    caller_close(&other);
    harness_close(&t);
    ids_looks_close(&t.server);
}

TestSuite(looks, .init = begin, .fini = end);

/* Asking ---------------------------------------------------------------- */

static uint8_t frame[1u << 17];

static idp_slice text_of(const char *s) {
    return (idp_slice){(const uint8_t *)s, strlen(s)};
}

/* The reply to one request; it borrows until the next one. */
static idp_reply ask(caller *c, idp_request request) {
    idp_reply reply;
    size_t bytes;
    request.msgid = 7;
    caller_send(c, frame, idp_request_write(frame, sizeof frame, &request));
    harness_run(&t);
    cr_assert_leq(c->got.len, sizeof frame);
    memcpy(frame, c->got.at, c->got.len);
    cr_assert_eq(
        idp_reply_open(frame, c->got.len, sizeof frame, &reply, &bytes),
        IDP_REPLY_WHOLE);
    cr_assert_eq(reply.msgid, 7);
    idt_buf_drop(&c->got, bytes);
    return reply;
}

static const char *error_of(idp_reply reply) {
    static char text[256];
    snprintf(text, sizeof text, "%.*s",
             reply.is_error ? (int)reply.text.len : 4,
             reply.is_error ? (const char *)reply.text.ptr : "none");
    return text;
}

static void claim(caller *c, const char *ns, const char *key,
                  uint32_t lease_ms) {
    idp_answer answer;
    idp_reply reply = ask(c, (idp_request){.method = IDP_ACQUIRE,
                                           .ns = text_of(ns),
                                           .key = text_of(key),
                                           .lease_ms = lease_ms,
                                           .ttl_ms = 86400000});
    cr_assert_not(reply.is_error, "%s", error_of(reply));
    cr_assert(idp_answer_read(IDP_ACQUIRE, reply.result, &answer));
    cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED);
}

static uint32_t seen[KEYS]; /* key k17 at 17 */
static uint32_t rows;
static char cursor[IDP_CURSOR_BYTES_MAX + 1];
static char last_user[IDP_USER_BYTES_MAX + 1];

static idp_reply ask_page(caller *c, const idp_request *first) {
    idp_request next = {.method = IDP_LIST, .cursor = text_of(cursor)};
    idp_reply reply = ask(c, *cursor ? next : *first);
    idp_list_page page;
    if (reply.is_error)
        return reply;
    cr_assert(idp_list_page_read(reply.result, &page));
    cr_assert_leq(page.row_count, IDP_LIST_ROWS_MAX);
    for (uint32_t i = 0; i < page.row_count; i++) {
        const idp_list_row *row = &page.rows[i];
        unsigned number = 0;
        char key[32];
        snprintf(key, sizeof key, "%.*s", (int)row->key.len,
                 (const char *)row->key.ptr);
        if (sscanf(key, "k%u", &number) == 1 && number < KEYS)
            seen[number]++;
        snprintf(last_user, sizeof last_user, "%.*s", (int)row->user.len,
                 row->user.ptr ? (const char *)row->user.ptr : "");
        rows++;
    }
    snprintf(cursor, sizeof cursor, "%.*s", (int)page.cursor.len,
             page.cursor.ptr ? (const char *)page.cursor.ptr : "");
    return reply;
}

static uint32_t list_all(caller *c, idp_request first) {
    first.method = IDP_LIST;
    memset(seen, 0, sizeof seen);
    rows = 0;
    *cursor = '\0';
    do {
        idp_reply reply = ask_page(c, &first);
        cr_assert_not(reply.is_error, "%s", error_of(reply));
    } while (*cursor);
    return rows;
}

static void make_keys(void) {
    char key[16];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%u", i);
        claim(&shop, "t", key, i % 3 ? 60000 : 500);
    }
}

/* list ------------------------------------------------------------------ */

Test(looks, a_walk_shows_each_record_of_each_worker_once) {
    make_keys();
    cr_assert_eq(list_all(&ops, (idp_request){0}), KEYS);
    for (unsigned i = 0; i < KEYS; i++)
        cr_assert_eq(seen[i], 1, "k%u", i);
    cr_assert_str_eq(last_user, "shop");
}

Test(looks, by_state_age_namespace_and_prefix) {
    make_keys();
    claim(&ops, "u", "elsewhere", 60000);
    harness_pass(&t, 700);
    cr_assert_eq(list_all(&ops, (idp_request){.state = IDP_STATE_ORPHANED}),
                 KEYS / 3);
    cr_assert_eq(list_all(&ops, (idp_request){.state = IDP_STATE_ORPHANED,
                                              .older_ms = 200}),
                 KEYS / 3);
    cr_assert_eq(list_all(&ops, (idp_request){.state = IDP_STATE_ORPHANED,
                                              .older_ms = 201}),
                 0, "at 200 ms it is 200 ms old");
    cr_assert_eq(list_all(&ops, (idp_request){.state = IDP_STATE_COMPLETED}),
                 0);
    cr_assert_eq(list_all(&ops, (idp_request){.ns = text_of("u")}), 1);
    cr_assert_eq(list_all(&ops, (idp_request){.ns = text_of("")}), 0);
    cr_assert_eq(list_all(&ops, (idp_request){.key = text_of("k29")}), 11,
                 "k29, k290 to k299");
}

Test(looks, rows_of_those_namespaces_that_one_may_read) {
    claim(&ops, "u", "k0", 60000);
    claim(&shop, "t", "k1", 60000);
    cr_assert_eq(list_all(&shop, (idp_request){0}), 1);
    cr_assert_eq(seen[1], 1);
    cr_assert_eq(list_all(&ops, (idp_request){0}), 2);
    cr_assert_str_eq(error_of(ask(&shop, (idp_request){.method = IDP_LIST,
                                                       .ns = text_of("u")})),
                     "DENIED namespace u: \"shop\" may not read");
}

/* As of its next page: the walk goes on by the new grants. */
Test(looks, a_walk_goes_by_the_grants_of_now) {
    idp_request first = {.method = IDP_LIST};
    make_keys();
    *cursor = '\0';
    rows = 0;
    ask_page(&shop, &first);
    cr_assert_gt(rows, 0);
    harness_credentials(&t, file_of("claim=t read=u"));
    harness_run(&t);
    harness_pass(&t, 0);
    rows = 0;
    while (*cursor)
        cr_assert_not(ask_page(&shop, &first).is_error);
    cr_assert_eq(rows, 0);
}

Test(looks, the_fifth_walk_of_a_credential_is_refused_and_others_go_on) {
    idp_request first = {.method = IDP_LIST};
    char cursors[4][sizeof cursor];
    make_keys();
    for (int i = 0; i < 4; i++) {
        *cursor = '\0';
        cr_assert_not(ask_page(&ops, &first).is_error);
        memcpy(cursors[i], cursor, sizeof cursor);
    }
    for (int i = 0; i < 12; i++)
        cr_assert_str_eq(
            error_of(ask(&ops, first)),
            "LIMIT this credential has four walks under way; end one, or let "
            "it rest for a minute");
    cr_assert_eq(list_all(&shop, (idp_request){0}), KEYS, "another's");
    for (int i = 0; i < 4; i++) {
        memcpy(cursor, cursors[i], sizeof cursor);
        while (*cursor)
            cr_assert_not(ask_page(&ops, &first).is_error);
        cr_assert_eq(list_all(&ops, (idp_request){0}), KEYS, "its place");
    }
}

Test(looks, a_walk_that_rests_is_over) {
    idp_request first = {.method = IDP_LIST};
    make_keys();
    for (int i = 0; i < 4; i++) {
        *cursor = '\0';
        ask_page(&ops, &first);
    }
    harness_pass(&t, IDS_WALK_IDLE_MS - 1);
    cr_assert(ask(&ops, first).is_error);
    cr_assert_not(ask_page(&ops, &first).is_error, "this one does not rest");
    harness_pass(&t, 1);
    *cursor = '\0';
    cr_assert_not(ask_page(&ops, &first).is_error);
    for (uint32_t ms = 0; ms < IDS_WALK_MS_MAX; ms += IDS_WALK_IDLE_MS / 2) {
        idp_reply same = ask(
            &ops, (idp_request){.method = IDP_LIST, .cursor = text_of(cursor)});
        cr_assert_not(same.is_error);
        harness_pass(&t, IDS_WALK_IDLE_MS / 2);
    }
    cr_assert_str_eq(error_of(ask_page(&ops, &first)),
                     "BAD_REQUEST cursor: there is no such walk, or no more; "
                     "begin anew");
}

Test(looks, a_page_whose_answer_was_lost_is_given_again) {
    idp_request first = {.method = IDP_LIST};
    char before[sizeof cursor], after[sizeof cursor];
    make_keys();
    *cursor = '\0';
    ask_page(&ops, &first);
    memcpy(before, cursor, sizeof cursor);
    rows = 0;
    memset(seen, 0, sizeof seen);
    ask_page(&ops, &first);
    uint32_t had = rows;
    memcpy(after, cursor, sizeof cursor);
    memcpy(cursor, before, sizeof cursor);
    ask_page(&ops, &first);
    cr_assert_eq(rows, 2 * had);
    for (unsigned i = 0; i < KEYS; i++)
        cr_assert(seen[i] == 0 || seen[i] == 2, "the same rows");
    cr_assert_str_eq(cursor, after);
    ask_page(&ops, &first);
    idp_reply behind =
        ask(&ops, (idp_request){.method = IDP_LIST, .cursor = text_of(before)});
    cr_assert_str_eq(error_of(behind),
                     "BAD_REQUEST cursor: this page is behind; begin anew");
}

Test(looks, a_cursor_is_its_credentials_own) {
    idp_request first = {.method = IDP_LIST};
    static const char *const wrong[] = {
        "0123456789abcdef.1", "x",
        "0123456789abcdef.",  "0123456789abcdef.-1",
        "0123456789ABCDEF.1", "0123456789abcdef.1x"};
    make_keys();
    *cursor = '\0';
    ask_page(&ops, &first);
    cr_assert(ask_page(&shop, &first).is_error, "not the one that began it");
    cr_assert_not(ask_page(&ops, &first).is_error);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_str_eq(
            error_of(ask(&ops, (idp_request){.method = IDP_LIST,
                                             .cursor = text_of(wrong[i])})),
            "BAD_REQUEST cursor: there is no such walk, or no more; begin "
            "anew");
}

Test(looks, a_replica_lists_nothing) {
    const ids_role_state follows = {.role = IDS_FOLLOWS,
                                    .lead_epoch = UINT64_MAX,
                                    .epoch = 7,
                                    .primary_at = "other:7117"};
    *cursor = '\0';
    for (uint32_t i = 0; i < 3; i++)
        t.workers[i]->role_state = follows;
    for (int i = 0; i < 9; i++)
        cr_assert_str_eq(error_of(ask(&ops, (idp_request){.method = IDP_LIST})),
                         "NOT_PRIMARY other:7117");
    cr_assert_str_eq(error_of(ask(&ops, (idp_request){.method = IDP_INSPECT,
                                                      .ns = text_of("t"),
                                                      .key = text_of("k")})),
                     "NOT_PRIMARY other:7117");
}

/* The scan -------------------------------------------------------------- */

static void scan_all(void) {
    harness_pass(&t, 1);
    harness_pass(&t, SCAN_MS + 1);
    harness_pass(&t, SCAN_MS + 1);
    harness_pass(&t, SCAN_MS + 1);
}

Test(looks, the_scan_counts_states_and_knows_the_oldest) {
    idp_request oldest = {.state = IDP_STATE_ORPHANED, .oldest = true};
    uint64_t orphaned = 0, claimed = 0;
    make_keys();
    scan_all();
    for (uint32_t i = 0; i < 3; i++) {
        const ids_scanned *last = t.workers[i]->scanner.last;
        cr_assert_gt(last->ended_ms, 0);
        orphaned += last->records[IDP_STATE_ORPHANED];
        claimed += last->records[IDP_STATE_IN_PROGRESS];
        cr_assert_eq(last->orphans_older[0], 0, "none is a minute old");
        for (uint32_t k = 1; k < last->oldest_count[IDS_STUCK_ORPHANED]; k++)
            cr_assert_leq(last->oldest[IDS_STUCK_ORPHANED][k - 1].since_ms,
                          last->oldest[IDS_STUCK_ORPHANED][k].since_ms);
    }
    cr_assert_eq(orphaned, KEYS / 3);
    cr_assert_eq(claimed, KEYS - KEYS / 3);
    cr_assert_eq(list_all(&ops, oldest), KEYS / 3);
    oldest.state = IDP_STATE_IN_PROGRESS;
    cr_assert_eq(list_all(&ops, oldest), KEYS - KEYS / 3);
}

Test(looks, of_many_the_256_oldest_are_kept) {
    const char *keys[2];
    ids_scanned *last;
    char key[16];
    for (unsigned i = 0; i < 1200; i++) {
        snprintf(key, sizeof key, "n%u", i);
        claim(&shop, "t", key, 60000);
        if (i % 100 == 99)
            harness_pass(&t, 1);
    }
    (void)keys;
    scan_all();
    for (uint32_t i = 0; i < 3; i++) {
        last = t.workers[i]->scanner.last;
        const ids_oldest *all = last->oldest[IDS_STUCK_CLAIMED];
        cr_assert_eq(last->oldest_count[IDS_STUCK_CLAIMED], IDS_OLDEST_MAX);
        cr_assert_lt(all[0].since_ms, all[IDS_OLDEST_MAX - 1].since_ms);
        cr_assert_leq(all[IDS_OLDEST_MAX - 1].since_ms,
                      all[0].since_ms + 1 + 256 * 3 / 100 + 3);
    }
}

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
