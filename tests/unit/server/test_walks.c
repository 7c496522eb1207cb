/* SPDX-License-Identifier: Apache-2.0 */
/* test_walks.c -- list over workers without sockets: walks, who holds them and
 * for how long, and what the scan in the background has found. */
#include "proto/list.h"
#include "server/admin/walks.h"
#include "tests/unit/server/looks.h"

TestSuite(walks, .init = begin, .fini = end);

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

Test(walks, a_walk_shows_each_record_of_each_worker_once) {
    make_keys();
    cr_assert_eq(list_all(&ops, (idp_request){0}), KEYS);
    for (unsigned i = 0; i < KEYS; i++)
        cr_assert_eq(seen[i], 1, "k%u", i);
    cr_assert_str_eq(last_user, "shop");
}

Test(walks, by_state_age_namespace_and_prefix) {
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

Test(walks, rows_of_those_namespaces_that_one_may_read) {
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
Test(walks, a_walk_goes_by_the_grants_of_now) {
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

Test(walks, the_fifth_walk_of_a_credential_is_refused_and_others_go_on) {
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

Test(walks, a_walk_that_rests_is_over) {
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

Test(walks, a_page_whose_answer_was_lost_is_given_again) {
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

/* Though the walk is over by then; until that its place is free for others. */
Test(walks, the_last_page_is_given_again_too) {
    idp_request first = {.method = IDP_LIST};
    char before[sizeof cursor], made_up[sizeof cursor];
    unsigned long page;
    make_keys();
    *cursor = '\0';
    do {
        memcpy(before, cursor, sizeof cursor);
        rows = 0;
        cr_assert_not(ask_page(&ops, &first).is_error);
    } while (*cursor);
    uint32_t had = rows;
    for (int i = 0; i < 2; i++) {
        memcpy(cursor, before, sizeof cursor);
        rows = 0;
        cr_assert_not(ask_page(&ops, &first).is_error, "time %d", i);
        cr_assert_eq(rows, had);
        cr_assert_str_empty(cursor);
    }
    cr_assert_eq(sscanf(before + 17, "%lu", &page), 1);
    snprintf(made_up, sizeof made_up, "%.16s.%lu", before, page + 1);
    cr_assert_str_eq(
        error_of(ask(&ops, (idp_request){.method = IDP_LIST,
                                         .cursor = text_of(made_up)})),
        "BAD_REQUEST cursor: this page is behind; begin anew");
    for (uint32_t i = 0; i < 3 * IDS_WALKS_A_LOOP; i++)
        cr_assert_eq(list_all(&ops, first), KEYS, "it holds no place");
}

/* Else one that comes late would be made for nobody, who may see all. */
Test(walks, a_page_is_made_while_it_is_asked_for) {
    const idp_request first = {.method = IDP_LIST};
    const ids_viewer viewer = {.now_ms = 1};
    char next[IDS_CURSOR_BYTES];
    const char *text;
    uint64_t id;
    uint32_t loop;
    ids_walk walk;
    ids_walks *all = ids_walks_new(1);
    cr_assert_eq(ids_walks_ask(all, &first, &viewer, &id, &loop, &text),
                 IDP_OK);
    cr_assert(ids_walks_find(all, id, &walk));
    ids_paged_drop(&walk.paged);
    ids_walks_went(all, id, &(ids_walk_at){.position = 7}, false, next);
    cr_assert_not(ids_walks_find(all, id, &walk));
    ids_walks_failed(all, id);
    cr_assert_not(ids_walks_find(all, id, &walk));
    ids_walks_free(all);
}

Test(walks, a_cursor_is_its_credentials_own) {
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

Test(walks, a_replica_lists_nothing) {
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

Test(walks, the_scan_counts_states_and_knows_the_oldest) {
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

Test(walks, of_many_the_256_oldest_are_kept) {
    ids_scanned *last;
    char key[16];
    for (unsigned i = 0; i < 1200; i++) {
        snprintf(key, sizeof key, "n%u", i);
        claim(&shop, "t", key, 60000);
        if (i % 100 == 99)
            harness_pass(&t, 1);
    }
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
