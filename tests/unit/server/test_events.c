/* SPDX-License-Identifier: Apache-2.0 */
/* test_events.c -- what has happened to keys, told over workers without
 * sockets: to whom, from when on, and what a reader that stops has lost. */
#include "tests/unit/server/events.h"

TestSuite(events, .init = begin, .fini = end);

static bool is(idp_slice slice, const char *what) {
    return slice.len == strlen(what) && memcmp(slice.ptr, what, slice.len) == 0;
}

/* "acquired k1", of this page. */
static const char *said(uint32_t at) {
    static char text[600];
    cr_assert_lt(at, page.count);
    snprintf(
        text, sizeof text, "%s %.*s", idp_event_kind_name(page.events[at].kind),
        (int)page.events[at].key.len, (const char *)page.events[at].key.ptr);
    return text;
}

static idp_answer call(caller *c, idp_request request) {
    idp_answer answer;
    idp_method method = request.method;
    request.ns = text_of("t");
    idp_reply reply = ask(c, request);
    cr_assert_not(reply.is_error, "%s", error_of(reply));
    cr_assert(idp_answer_read(method, reply.result, &answer));
    return answer;
}

static idp_token claim_key(const char *key) {
    return call(&shop, (idp_request){.method = IDP_ACQUIRE,
                                     .key = text_of(key),
                                     .fingerprint = text_of("f"),
                                     .lease_ms = 60000,
                                     .ttl_ms = 86400000})
        .token;
}

static uint32_t rings(void) {
    uint32_t count = 0;
    for (int i = 0; i < 3; i++)
        count += t.workers[i]->events.ring != NULL;
    return count;
}

/* What is told ---------------------------------------------------------------
 */

Test(events, while_nobody_watches_nothing_is_kept) {
    claim(&shop, "t", "k", 60000);
    cr_assert_eq(rings(), 0);
    cr_assert_null(t.workers[0]->shard_config.on_change);
    watch(&ops, (idp_request){0});
    cr_assert_eq(rings(), 3, "each worker was asked");
    cr_assert_eq(see(&ops), 0, "what was before is not told");
    cr_assert_eq(page.lost, 0);
}

Test(events, a_key_s_story_is_told_in_its_order) {
    watch(&ops, (idp_request){0});
    idp_token token = claim_key("k");
    harness_pass(&t, 100);
    call(&shop, (idp_request){.method = IDP_RENEW,
                              .key = text_of("k"),
                              .token = token,
                              .lease_ms = 60000});
    call(&shop, (idp_request){.method = IDP_ACQUIRE,
                              .key = text_of("k"),
                              .fingerprint = text_of("another"),
                              .lease_ms = 60000,
                              .ttl_ms = 86400000});
    call(&shop, (idp_request){.method = IDP_COMPLETE,
                              .key = text_of("k"),
                              .token = token});
    call(&shop, (idp_request){.method = IDP_RELEASE,
                              .key = text_of("k"),
                              .token = token});
    cr_assert_eq(see(&ops), 5);
    cr_assert_str_eq(said(0), "acquired k");
    cr_assert_eq(page.events[0].age_ms, 100);
    cr_assert_eq(page.events[0].attempt, 1);
    cr_assert(is(page.events[0].user, "shop"));
    cr_assert(is(page.events[0].ns, "t"));
    cr_assert_str_eq(said(1), "renewed k");
    cr_assert_eq(page.events[1].age_ms, 0);
    cr_assert_str_eq(said(2), "mismatch k");
    cr_assert(is(page.events[2].user, "shop"));
    cr_assert_str_eq(said(3), "completed k");
    cr_assert_null(page.events[3].user.ptr);
    cr_assert_str_eq(said(4), "stale k");
    cr_assert_eq(see(&ops), 0, "told once");
}

Test(events, a_takeover_says_so_and_what_is_gone_is_told) {
    watch(&ops, (idp_request){0});
    claim(&shop, "t", "k", 500);
    harness_pass(&t, 600);
    claim(&shop, "t", "k", 500);
    idp_token token = claim_key("u");
    call(&shop, (idp_request){.method = IDP_RELEASE,
                              .key = text_of("u"),
                              .token = token,
                              .unbind = true});
    cr_assert_eq(see(&ops), 4);
    cr_assert_eq(page.events[1].previous, IDP_PREVIOUS_ORPHANED);
    cr_assert_eq(page.events[1].attempt, 2);
    cr_assert_str_eq(said(3), "deleted u");
    call(&shop, (idp_request){.method = IDP_ACQUIRE,
                              .key = text_of("left"),
                              .lease_ms = 500,
                              .ttl_ms = 2000});
    harness_pass(&t, 3000);
    cr_assert_eq(see(&ops), 2);
    cr_assert_str_eq(said(1), "expired left");
}

Test(events, of_all_workers_and_by_time) {
    watch(&ops, (idp_request){0});
    for (uint32_t i = 0; i < 6; i++) {
        claim(&shop, "t", key_of(&t, 2 - i % 3, i), 60000);
        harness_pass(&t, 1);
    }
    cr_assert_eq(see(&ops), 6);
    for (uint32_t i = 0; i < 6; i++)
        cr_assert(is(page.events[i].key, key_of(&t, 2 - i % 3, i)), "%u", i);
}

Test(events, by_namespace_prefix_and_kind) {
    char mine[IDP_CURSOR_BYTES_MAX + 1];
    watch(&ops, (idp_request){.ns = text_of("t"),
                              .key = text_of("order-"),
                              .kind = IDP_EVENT_ACQUIRED});
    memcpy(mine, cursor, sizeof mine);
    claim(&ops, "u", "order-0", 60000);
    claim(&shop, "t", "other", 60000);
    idp_token token = claim_key("order-1");
    call(&shop, (idp_request){.method = IDP_COMPLETE,
                              .key = text_of("order-1"),
                              .token = token});
    harness_pass(&t, 1);
    claim_key("order-2");
    cr_assert_eq(see(&ops), 2);
    cr_assert_str_eq(said(0), "acquired order-1");
    cr_assert_str_eq(said(1), "acquired order-2");
    cr_assert_str_neq(cursor, mine);
}

Test(events, a_key_may_be_any_bytes) {
    static const char *const keys[] = {"<img src=x onerror=alert(1)>",
                                       "\033]0;owned\007", "a\nb", "\xff\xfe"};
    char longest[IDP_KEY_BYTES_MAX + 1];
    watch(&ops, (idp_request){0});
    for (int i = 0; i < 4; i++)
        claim(&shop, "t", keys[i], 60000);
    memset(longest, 'x', IDP_KEY_BYTES_MAX);
    longest[IDP_KEY_BYTES_MAX] = '\0';
    claim(&shop, "t", longest, 60000);
    cr_assert_eq(see(&ops), 5);
    uint32_t found = 0;
    for (uint32_t i = 0; i < 5; i++) {
        for (int k = 0; k < 4; k++)
            found += is(page.events[i].key, keys[k]);
        found += is(page.events[i].key, longest);
    }
    cr_assert_eq(found, 5);
}

/* More than a page has rows: one page behind the other. */
Test(events, pages_follow_each_other) {
    char key[16];
    uint32_t count = 0;
    watch(&ops, (idp_request){0});
    for (unsigned i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "k%u", i);
        claim(&shop, "t", key, 60000);
    }
    for (uint32_t more; (more = see(&ops)) > 0; count += more)
        cr_assert_leq(more, IDP_EVENTS_MAX);
    cr_assert_eq(count, 200);
    cr_assert_eq(page.lost, 0);
}

/* Who waits ------------------------------------------------------------------
 */

static uint32_t waiting(void) {
    uint32_t count = 0;
    for (int i = 0; i < 3; i++)
        count += t.lines[i]->polls.count;
    return count;
}

Test(events, who_waits_hears_as_soon_as_something_happens) {
    watch(&ops, (idp_request){0});
    send_wait(&ops, 20000);
    harness_pass(&t, 1000);
    cr_assert_str_eq(caller_hear(&ops), "nothing");
    claim(&shop, "t", "k", 60000);
    harness_pass(&t, IDS_POLL_AGAIN_MS);
    cr_assert_str_eq(caller_hear(&ops), "8 map");
    cr_assert_eq(waiting(), 0);
}

Test(events, and_when_the_wait_is_over) {
    watch(&ops, (idp_request){0});
    send_wait(&ops, 1000);
    harness_pass(&t, 999);
    cr_assert_str_eq(caller_hear(&ops), "nothing");
    harness_pass(&t, IDS_POLL_AGAIN_MS + 1);
    cr_assert_str_eq(caller_hear(&ops), "8 map");
}

Test(events, one_that_goes_while_it_waits_leaves_nothing_behind) {
    watch(&ops, (idp_request){0});
    send_wait(&ops, 60000);
    cr_assert_eq(waiting(), 1);
    caller_close(&ops);
    harness_pass(&t, IDS_POLL_AGAIN_MS);
    cr_assert_eq(waiting(), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
    caller_open(&ops, &t, 1);
    ask_hello(&ops, 1, -1, OPS);
    cr_assert_str_eq(caller_hear(&ops), "1 map");
    claim(&shop, "t", "k", 60000);
    cr_assert_eq(see(&ops), 1, "it goes on where it was");
}

Test(events, who_waits_hears_that_the_server_goes_down) {
    watch(&ops, (idp_request){0});
    send_wait(&ops, 60000);
    for (int i = 0; i < 3; i++)
        ids_line_drain(t.lines[i]);
    harness_pass(&t, IDS_POLL_AGAIN_MS);
    cr_assert_str_eq(caller_hear(&ops), "8 SHUTTING_DOWN");
}

/* What is lost ---------------------------------------------------------------
 */

static idp_token renewed;

static void renew(uint32_t times) {
    uint8_t one[256];
    const idp_request request = {.method = IDP_RENEW,
                                 .msgid = 9,
                                 .ns = text_of("t"),
                                 .key = text_of("k"),
                                 .token = renewed,
                                 .lease_ms = 60000};
    size_t bytes = idp_request_write(one, sizeof one, &request);
    for (uint32_t i = 0; i < times; i++) {
        caller_send(&shop, one, bytes);
        if (i % 64 == 63 || i + 1 == times)
            harness_run(&t);
        if (i % 1024 == 1023 || i + 1 == times)
            idt_buf_drop(&shop.got, shop.got.len);
    }
}

static uint64_t see_all(caller *c, uint64_t *lost) {
    uint64_t count = 0;
    *lost = 0;
    do {
        count += see(c);
        *lost += page.lost;
    } while (page.count);
    return count;
}

Test(events, a_reader_that_stops_at_full_load_loses_and_knows_how_much) {
    uint64_t lost;
    renewed = claim_key("k");
    watch(&ops, (idp_request){0});
    renew(1000);
    cr_assert_eq(see_all(&ops, &lost), 1000);
    cr_assert_eq(lost, 0);
    renew(IDS_EVENTS_KEPT_MAX + 5000);
    cr_assert_eq(see_all(&ops, &lost), IDS_EVENTS_KEPT_MAX);
    cr_assert_eq(lost, 5000);
    for (int i = 0; i < 3; i++) {
        const ids_events *events = &t.workers[i]->events;
        cr_assert_leq(events->next - events->first, IDS_EVENTS_KEPT_MAX);
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
    }
}

Test(events, long_keys_are_bounded_by_their_bytes) {
    char key[IDP_KEY_BYTES_MAX + 1];
    uint64_t lost, kept;
    memset(key, 'x', IDP_KEY_BYTES_MAX);
    key[IDP_KEY_BYTES_MAX] = '\0';
    watch(&ops, (idp_request){0});
    for (unsigned i = 0; i < 22500; i++) {
        snprintf(key, 8, "%07u", i % 100);
        key[7] = 'x';
        idp_token token = claim_key(key);
        call(&shop, (idp_request){.method = IDP_RELEASE,
                                  .key = text_of(key),
                                  .token = token});
    }
    kept = see_all(&ops, &lost);
    cr_assert_eq(kept + lost, 45000);
    cr_assert_gt(lost, 0);
    cr_assert_geq(kept, 3 * (IDS_EVENTS_BYTES_MAX / 600) / 2);
}

Test(events, what_happens_after_a_minute_without_a_reader_is_counted) {
    uint64_t lost;
    renewed = claim_key("k");
    watch(&ops, (idp_request){0});
    renew(10);
    harness_pass(&t, IDS_EVENTS_IDLE_MS - 1);
    cr_assert_eq(rings(), 3);
    harness_pass(&t, 1);
    cr_assert_eq(rings(), 0);
    cr_assert_null(t.workers[0]->shard_config.on_change);
    renewed = claim_key("k2"); /* stands for k's: its lease is over by now */
    renew(32);                 /* stale: counted as well */
    cr_assert_eq(see_all(&ops, &lost), 0);
    cr_assert_eq(lost, 10 + 1 + 32);
    cr_assert_eq(rings(), 3);
    renew(3);
    cr_assert_eq(see_all(&ops, &lost), 3);
    cr_assert_eq(lost, 0);
}

/* Who may --------------------------------------------------------------------
 */

Test(events, one_who_may_read_some_namespaces_hears_of_those) {
    cr_assert_str_eq(error_of(ask(&shop, (idp_request){.method = IDP_EVENTS,
                                                       .ns = text_of("u")})),
                     "DENIED namespace u: \"shop\" may not read");
    watch(&shop, (idp_request){0});
    claim(&ops, "u", "secret", 60000);
    claim(&ops, "t", "k", 60000);
    cr_assert_eq(see(&shop), 1);
    cr_assert_str_eq(said(0), "acquired k");
}

Test(events, a_reload_that_takes_the_grant_away_ends_the_stream) {
    watch(&shop, (idp_request){.ns = text_of("t")});
    send_wait(&shop, 60000);
    harness_credentials(&t, file_of("claim=t read=u"));
    harness_run(&t);
    harness_pass(&t, IDS_POLL_AGAIN_MS);
    cr_assert_str_eq(caller_hear(&shop), "8 DENIED");
    cr_assert_str_eq(error_of(ask_next(&shop)),
                     "DENIED namespace t: \"shop\" may not read");
}

Test(events, and_one_of_any_namespace_hears_of_what_is_left) {
    watch(&shop, (idp_request){0});
    harness_credentials(&t, file_of("claim=t read=u"));
    harness_run(&t);
    harness_pass(&t, 0);
    claim(&ops, "t", "k", 60000);
    claim(&ops, "u", "k2", 60000);
    cr_assert_eq(see(&shop), 1);
    cr_assert_str_eq(said(0), "acquired k2");
    harness_credentials(&t, file_of("claim=t"));
    harness_run(&t);
    harness_pass(&t, 0);
    cr_assert(ask_next(&shop).is_error);
}

/* Cursors --------------------------------------------------------------------
 */

Test(events, an_answer_that_was_lost_is_had_again) {
    char before[IDP_CURSOR_BYTES_MAX + 1], older[IDP_CURSOR_BYTES_MAX + 1];
    watch(&ops, (idp_request){0});
    memcpy(older, cursor, sizeof older);
    claim(&shop, "t", "k", 60000);
    cr_assert_eq(see(&ops), 1);
    memcpy(before, cursor, sizeof before);
    memcpy(cursor, older, sizeof cursor);
    cr_assert_eq(see(&ops), 1, "again");
    cr_assert_str_eq(cursor, before);
    see(&ops);
    memcpy(cursor, older, sizeof cursor);
    cr_assert_str_eq(error_of(ask_next(&ops)),
                     "BAD_REQUEST cursor: this page is behind; begin anew");
}

Test(events, a_cursor_is_its_credential_s_own) {
    watch(&ops, (idp_request){0});
    cr_assert_str_eq(
        error_of(ask_next(&shop)),
        "BAD_REQUEST cursor: nobody watches by it here, or no more; begin "
        "anew");
    cr_assert_eq(see(&ops), 0);
}

Test(events, the_fifth_has_the_place_of_one_that_rests) {
    char first[IDP_CURSOR_BYTES_MAX + 1];
    for (unsigned i = 0; i < IDS_WATCHERS_A_USER; i++) {
        watch(&ops, (idp_request){0});
        if (i == 0)
            memcpy(first, cursor, sizeof first);
    }
    cr_assert_str_eq(
        error_of(ask(&ops, (idp_request){.method = IDP_EVENTS})),
        "LIMIT this credential watches four times already; end one");
    watch(&shop, (idp_request){0});
    harness_pass(&t, IDS_WATCHER_REST_MS);
    watch(&ops, (idp_request){0});
    memcpy(cursor, first, sizeof cursor);
    cr_assert(ask_next(&ops).is_error, "the first one had to go");
}
