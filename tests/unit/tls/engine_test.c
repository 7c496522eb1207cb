/* SPDX-License-Identifier: Apache-2.0 */
/* engine_test.c -- the engine's life: handshake, bytes, keys, ends, bounds. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tls/both.h"

static const both_options usual;
static const both_options of_1_2 = {.server_least = IDP_TLS_1_2,
                                    .client_least = IDP_TLS_1_2};

Test(tls, what_one_says_the_other_hears) {
    both *b = both_begin(&usual);
    both_pump(b);
    cr_assert(is_up(&b->client) && is_up(&b->server));
    say_text(b, &b->client, "may I?");
    say_text(b, &b->server, "you may");
    cr_assert(heard_is(&b->server, "may I?"));
    cr_assert(heard_is(&b->client, "you may"));
    cr_assert_str_eq(idp_tls_version_of(b->client.tls), "TLSv1.3");
    cr_assert_not(idp_tls_peer(b->server.tls).shown);
    cr_assert(idp_tls_peer(b->client.tls).verified);
    cr_assert_str_eq(idp_tls_why_of(b->client.tls), "");
    both_end(b);
}

Test(tls, it_comes_byte_by_byte) {
    both *b =
        both_begin(&(both_options){.server_ca = "ca", .client_cert = "client"});
    b->chunk = 1;
    both_pump(b);
    cr_assert(is_up(&b->client) && is_up(&b->server));
    say_text(b, &b->client, "drip");
    say_text(b, &b->server, "drop");
    cr_assert(heard_is(&b->server, "drip") && heard_is(&b->client, "drop"));
    cr_assert_eq(idp_tls_records(b->server.tls) > 3, true);
    both_end(b);
}

Test(tls, output_is_taken_a_byte_at_a_time) {
    both *b = both_begin(&usual);
    uint8_t one;
    for (int rounds = 0; rounds < 3; rounds++) {
        while (output(&b->client, &one, 1) == 1)
            feed(b, &b->server, &one, 1);
        while (output(&b->server, &one, 1) == 1)
            feed(b, &b->client, &one, 1);
    }
    cr_assert(is_up(&b->client) && is_up(&b->server));
    cr_assert_not(idp_tls_wants_write(b->client.tls));
    both_end(b);
}

Test(tls, before_the_handshake_is_done_nothing_is_taken) {
    both *b = both_begin(&usual);
    uint8_t room[4096];
    idp_slice plain = {(const uint8_t *)"early", 5};
    size_t len = idp_tls_write(b->client.tls, &plain, room, sizeof room);
    cr_assert_eq(plain.len, 5);
    cr_assert(len > 100 && idp_tls_is_hello(room[0]), "the hello is output");
    both_end(b);
}

Test(tls, what_is_long_arrives_whole_in_small_rooms) {
    both *b = both_begin(&usual);
    uint8_t *bytes = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    both_pump(b);
    idp_slice plain = {bytes, 300000};
    uint8_t room[100];
    while (plain.len > 0) {
        size_t len = idp_tls_write(b->client.tls, &plain, room, sizeof room);
        cr_assert(len > 0 && len <= sizeof room);
        feed(b, &b->server, room, len);
    }
    cr_assert_eq(b->server.heard_len, 300000);
    cr_assert_eq(memcmp(b->server.heard, bytes, 300000), 0);
    free(bytes);
    both_end(b);
}

Test(tls, the_bound_has_room_for_all) {
    static const size_t lens[] = {1, 16383, 16384, 16385, 200000};
    both *b = both_begin(&of_1_2);
    uint8_t *bytes = calloc(1, 200000);
    both_pump(b);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t *to = malloc(idp_tls_bound(lens[i]));
        idp_slice plain = {bytes, lens[i]};
        size_t len =
            idp_tls_write(b->client.tls, &plain, to, idp_tls_bound(lens[i]));
        cr_assert_eq(plain.len, 0, "%zu", lens[i]);
        cr_assert(len <= idp_tls_bound(lens[i]));
        cr_assert_eq(idp_tls_waiting(b->client.tls), 0);
        free(to);
    }
    free(bytes);
    both_end(b);
}

Test(tls, a_full_room_says_that_there_may_be_more) {
    both *b = both_begin(&usual);
    uint8_t sealed[512];
    uint8_t room[4];
    both_pump(b);
    idp_slice plain = {(const uint8_t *)"0123456789", 10};
    size_t len = idp_tls_write(b->client.tls, &plain, sealed, sizeof sealed);
    idp_slice came = {sealed, len};
    cr_assert_eq(idp_tls_read(b->server.tls, &came, room, 4), 4);
    cr_assert_eq(idp_tls_read(b->server.tls, &came, room, 4), 4);
    cr_assert_eq(idp_tls_read(b->server.tls, &came, room, 4), 2);
    cr_assert_eq(came.len, 0);
    both_end(b);
}

Test(tls, keys_are_changed_every_ten_records) {
    both *b = both_begin(&usual);
    both_pump(b);
    for (int i = 0; i < 300; i++) {
        if (i % 10 == 0)
            cr_assert(idp_tls_update_keys(i % 20 == 0 ? b->client.tls
                                                      : b->server.tls));
        say_text(b, &b->client, "x");
        say_text(b, &b->server, "y");
    }
    cr_assert_eq(b->server.heard_len, 300);
    cr_assert_eq(b->client.heard_len, 300);
    both_end(b);
}

Test(tls, the_older_version_only_where_it_is_allowed) {
    both *b = both_begin(&of_1_2);
    both_pump(b);
    cr_assert(is_up(&b->client) && is_up(&b->server));
    cr_assert_str_eq(idp_tls_version_of(b->client.tls), "TLSv1.3");
    both_end(b);
}

Test(tls, one_side_ends_and_the_other_still_speaks) {
    both *b = both_begin(&usual);
    both_pump(b);
    idp_tls_close(b->client.tls);
    both_pump(b);
    cr_assert_eq(idp_tls_state_of(b->server.tls), IDP_TLS_ENDED);
    cr_assert_not(idp_tls_was_cut(b->server.tls));
    say_text(b, &b->server, "one word more");
    cr_assert(heard_is(&b->client, "one word more"));
    uint8_t room[64];
    idp_slice plain = {(const uint8_t *)"no", 2};
    cr_assert_eq(idp_tls_write(b->client.tls, &plain, room, sizeof room), 0,
                 "who has closed says nothing");
    idp_tls_close(b->server.tls);
    both_pump(b);
    cr_assert_eq(idp_tls_state_of(b->client.tls), IDP_TLS_ENDED);
    both_end(b);
}

Test(tls, an_end_without_a_word_is_known) {
    both *b = both_begin(&usual);
    both_pump(b);
    idp_tls_eof(b->server.tls);
    cr_assert_eq(idp_tls_state_of(b->server.tls), IDP_TLS_ENDED);
    cr_assert(idp_tls_was_cut(b->server.tls));
    both_end(b);
}

/* Each flight, cut at each of its bytes. */
static void close_within(both *b, side *from, side *to) {
    static uint8_t flight[16384];
    size_t len = output(from, flight, sizeof flight);
    cr_assert(len > 0 && len < sizeof flight);
    size_t step = len > 400 ? 37 : 5;
    for (size_t cut = 0; cut < len; cut += step) {
        both_again(b, &usual);
        side *sender = from;
        if (sender == &b->server) {
            uint8_t hello[4096];
            size_t got = output(&b->client, hello, sizeof hello);
            feed(b, &b->server, hello, got);
        }
        cr_assert(output(sender, flight, sizeof flight) >= len - 8);
        feed(b, to, flight, cut);
        idp_tls_eof(to->tls);
        if (idp_tls_state_of(to->tls) == IDP_TLS_UP ||
            idp_tls_state_of(to->tls) == IDP_TLS_ENDED)
            break; /* what follows is only tickets */
        cr_assert_eq(idp_tls_fault_of(to->tls), IDP_TLS_CUT_OFF, "%zu: %s", cut,
                     idp_tls_why_of(to->tls));
        cr_assert(strstr(idp_tls_why_of(to->tls), "within the handshake"));
    }
}

Test(tls, a_close_within_each_message_is_told) {
    both *b = both_begin(&usual);
    close_within(b, &b->client, &b->server);
    both_again(b, &usual);
    uint8_t hello[4096];
    size_t len = output(&b->client, hello, sizeof hello);
    feed(b, &b->server, hello, len);
    close_within(b, &b->server, &b->client);
    both_end(b);
}

/* ---------------------------------------------------------------- strangers */

static void plain_comes(const char *words) {
    both *b = both_begin(&usual);
    feed(b, &b->client, (const uint8_t *)words, strlen(words));
    cr_assert_eq(idp_tls_fault_of(b->client.tls), IDP_TLS_NOT_TLS);
    cr_assert_str_eq(idp_tls_why_of(b->client.tls),
                     "localhost does not speak TLS");
    feed(b, &b->server, (const uint8_t *)words, strlen(words));
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_NOT_TLS);
    cr_assert_eq(idp_tls_waiting(b->server.tls), 0, "it hears no alert");
    both_end(b);
}

Test(tls, who_speaks_plain_is_told_from_the_first_byte) {
    plain_comes("\x94\x01\xcd\x0d\x0a");
    plain_comes("-ERR what?\r\n");
    plain_comes("HTTP/1.1 400 Bad Request\r\n");
    cr_assert(idp_tls_is_hello(0x16));
    cr_assert_not(idp_tls_is_hello(0x94));
    cr_assert_not(idp_tls_is_hello('G'));
}

Test(tls, a_record_of_17_kilobytes_ends_it) {
    static uint8_t record[5 + 17408] = {0x17, 3, 3, 17408 >> 8, 17408 & 255};
    both *b = both_begin(&usual);
    both_pump(b);
    feed(b, &b->server, record, sizeof record);
    cr_assert_eq(idp_tls_state_of(b->server.tls), IDP_TLS_FAILED);
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_PROTOCOL);
    cr_assert(idp_tls_wants_write(b->server.tls), "an alert");
    both_pump(b);
    cr_assert_eq(idp_tls_fault_of(b->client.tls), IDP_TLS_REFUSED, "%s",
                 idp_tls_why_of(b->client.tls));
    both_end(b);
}

Test(tls, a_record_that_was_changed_ends_it) {
    both *b = both_begin(&usual);
    uint8_t room[256];
    both_pump(b);
    idp_slice plain = {(const uint8_t *)"pay 10", 6};
    size_t len = idp_tls_write(b->client.tls, &plain, room, sizeof room);
    room[len - 1] ^= 1;
    feed(b, &b->server, room, len);
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_PROTOCOL);
    cr_assert_eq(b->server.heard_len, 0);
    cr_assert_neq(idp_tls_why_of(b->server.tls)[0], '\0');
    both_end(b);
}

Test(tls, records_that_say_nothing_are_not_endless) {
    both *b = both_begin(&usual);
    int updates = 0;
    both_pump(b);
    /* Nobody speaks: only keys are changed. */
    while (updates < 1000 && is_up(&b->server)) {
        uint8_t room[256];
        cr_assert(idp_tls_update_keys(b->client.tls));
        size_t len = output(&b->client, room, sizeof room);
        feed(b, &b->server, room, len);
        updates++;
    }
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_FLOOD, "%s",
                 idp_tls_why_of(b->server.tls));
    cr_assert_eq(updates, 65);
    both_end(b);
}

Test(tls, a_handshake_is_not_endless) {
    both *b = both_begin(&usual);
    /* A hello that is longer than all handshakes. */
    static uint8_t record[5 + 16000] = {0x16, 3, 1,    16000 >> 8, 16000 & 255,
                                        1,    1, 0xff, 0xff};
    for (int i = 0; i < 5; i++) {
        feed(b, &b->server, record, sizeof record);
        memset(record + 5, 0, 4);
    }
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_FLOOD, "%s",
                 idp_tls_why_of(b->server.tls));
    both_end(b);
}

Test(tls, empty_records_are_not_endless) {
    both *b = both_begin(&usual);
    static const uint8_t empty[] = {0x17, 3, 3, 0, 0};
    both_pump(b);
    for (int i = 0; i < 1000 && is_up(&b->server); i++)
        feed(b, &b->server, empty, sizeof empty);
    cr_assert_eq(idp_tls_state_of(b->server.tls), IDP_TLS_FAILED);
    both_end(b);
}

/* ------------------------------------------------------------------ reload */

Test(tls, a_context_goes_with_its_last_connection) {
    both *b = both_begin(&usual);
    both_pump(b);
    idp_tls_context *next =
        context_of(b->folder, "server", NULL, &usual, IDP_TLS_1_3);
    idp_tls_context_drop(b->server_context);
    b->server_context = next;
    say_text(b, &b->client, "still there?");
    cr_assert(heard_is(&b->server, "still there?"));
    both_again(b, &usual);
    both_pump(b);
    say_text(b, &b->client, "and anew");
    cr_assert(heard_is(&b->server, "and anew"));
    both_end(b);
}
