/* SPDX-License-Identifier: Apache-2.0 */
/* test_link.c -- two ends that show each other that they know the secret, and
 * say why they can't work together. */
#include "server/peer/fields.h"
#include "server/peer/link.h"

#include <criterion/criterion.h>
#include <string.h>

static ids_link a, b; /* a dials b */
static const ids_link_key no_key;
static const ids_link_self replica = {.member = {2, 22},
                                      .epoch = 7,
                                      .at = {":7118"},
                                      .http = {":7180"},
                                      .name = {"b"},
                                      .life = 222,
                                      .result_bytes_max = 1000,
                                      .program = "0.2.0",
                                      .nonce = "nonce of replica"};
static const ids_link_self primary = {.member = {1, 11},
                                      .epoch = 8,
                                      .primary = true,
                                      .at = {"db-1.example:7117"},
                                      .name = {"a"},
                                      .life = 111,
                                      .led = 8,
                                      .result_bytes_max = 1000,
                                      .settings = 77,
                                      .program = "0.2.0",
                                      .nonce = "nonce of primary"};
static const ids_link_offer offer = {
    .session = 99, .streams = 3, .first = 5, .last = 9};

static ids_link_key key_of(const char *secret) {
    ids_link_key key;
    ids_link_key_from(&key,
                      (idp_slice){(const uint8_t *)secret, strlen(secret)});
    return key;
}

static ids_link_key keys_of(const char *secret, const char *next) {
    ids_link_key key = key_of(secret);
    ids_link_key_next(&key, (idp_slice){(const uint8_t *)next, strlen(next)});
    return key;
}

static bool carry(ids_link *from, ids_link *to, ids_pf *frame) {
    bool taken = ids_link_take(to, from->out.ptr, from->out.len);
    from->out.len = 0;
    return taken && ids_link_next(to, frame) == IDS_PF_WHOLE;
}

static void begin_as(const ids_link_self *self, const ids_link_key *key) {
    a = b = (ids_link){.body_bytes_max = 1024};
    cr_assert(ids_link_dial(&a, self, 2, 99, key));
    ids_link_accept(&b);
}

static void begin(const ids_link_key *key) {
    begin_as(&replica, key);
}

static void end(void) {
    ids_link_fini(&a);
    ids_link_fini(&b);
}

/* Why not; NONE: both ends are open. */
static ids_refusal_why shake(ids_link_key key_a, ids_link_key key_b) {
    ids_refusal_why why;
    ids_pf frame;
    begin(&key_a);
    cr_assert(carry(&a, &b, &frame));
    why = ids_link_hello(&b, &frame, &key_b);
    if (why != IDS_REFUSAL_NONE)
        return why;
    cr_assert_eq(ids_link_welcome(&b, &primary, &offer, &key_b), 0);
    cr_assert(carry(&b, &a, &frame));
    why = ids_link_welcomed(&a, &frame, &key_a);
    if (why != IDS_REFUSAL_NONE)
        return why;
    cr_assert(carry(&a, &b, &frame));
    return ids_link_proven(&b, &frame, &key_b);
}

static ids_refusal_why shake_hands(const char *secret_a, const char *secret_b) {
    return shake(key_of(secret_a), key_of(secret_b));
}

Test(link, both_learn_who_the_other_is) {
    cr_assert_eq(shake_hands("open sesame", "open sesame"), 0);
    cr_assert_eq(a.state, IDS_LINK_OPEN);
    cr_assert_eq(b.state, IDS_LINK_OPEN);
    cr_assert_eq(a.other.member.incarnation, 11);
    cr_assert_eq(a.other.epoch, 8);
    cr_assert_eq(a.other.led, 8);
    cr_assert_eq(a.other.life, 111);
    cr_assert_eq(a.other.settings, 77);
    cr_assert_eq(a.other.result_bytes_max, 1000);
    cr_assert_str_eq(a.other.name.text, "a");
    cr_assert_str_eq(a.other.program, "0.2.0");
    cr_assert(a.other.primary);
    cr_assert_eq(a.offer.streams, 3);
    cr_assert_eq(a.session, 99);
    cr_assert_eq(b.other.member.incarnation, 22);
    cr_assert_eq(b.stream, 2);
    cr_assert_not(b.other.primary);
    cr_assert_str_eq(a.other.at.text, "db-1.example:7117");
    cr_assert_str_eq(b.other.at.text, ":7118");
    cr_assert_str_eq(a.other.http.text, "", "it speaks none");
    cr_assert_str_eq(b.other.http.text, ":7180");
    cr_assert_str_eq(b.other.name.text, "b");
    end();
}

Test(link, without_a_secret_none_is_needed) {
    cr_assert_eq(shake_hands("", ""), IDS_REFUSAL_NONE);
    end();
}

Test(link, another_secret_or_none_on_one_side_has_its_word) {
    cr_assert_eq(shake_hands("open sesame", "open barley"), IDS_REFUSAL_SECRET);
    end();
    cr_assert_eq(shake_hands("open sesame", ""), IDS_REFUSAL_SECRET_MISSING);
    end();
    cr_assert_eq(shake_hands("", "open sesame"), IDS_REFUSAL_SECRET_MISSING);
    end();
}

/* One node after the other: both know the next one before either has it alone.
 * At each step they find each other, whoever dials. */
Test(link, a_secret_is_rotated_without_an_end) {
    const ids_link_key old = key_of("old"), both = keys_of("old", "new"),
                       turned = keys_of("new", "old"), new = key_of("new");
    const ids_link_key steps[][2] = {{old, both},    {both, both},
                                     {both, turned}, {turned, turned},
                                     {turned, new},  {new, new}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        cr_assert_eq(shake(steps[i][0], steps[i][1]), 0, "step %zu", i);
        end();
        cr_assert_eq(shake(steps[i][1], steps[i][0]), 0, "step %zu", i);
        end();
    }
    cr_assert_eq(shake(old, new), IDS_REFUSAL_SECRET);
    end();
    cr_assert_eq(shake(keys_of("old", "other"), keys_of("new", "third")),
                 IDS_REFUSAL_SECRET);
    end();
}

static void welcome(const ids_link_key *key, ids_pf *frame) {
    cr_assert(carry(&a, &b, frame));
    cr_assert_eq(ids_link_hello(&b, frame, key), IDS_REFUSAL_NONE);
    cr_assert_eq(ids_link_welcome(&b, &primary, &offer, key), 0);
    cr_assert(carry(&b, &a, frame));
}

/* Nobody can prove himself with the other's proof, nor with one that was
 * heard in another handshake. */
Test(link, a_proof_serves_once_and_one_side_only) {
    ids_link_key key = key_of("open sesame");
    ids_pf said = {0}, proof = {0};
    ids_pf old = {.kind = IDS_PF_PROOF, .stream = 2, .session = 99};
    uint8_t kept[IDS_LINK_PROOF_BYTES];
    ids_link_self other = replica;
    other.nonce[0] ^= 1;
    begin(&key);
    welcome(&key, &said);
    memcpy(kept, said.body.ptr + said.body.len - sizeof kept, sizeof kept);
    old.body = (idp_slice){kept, sizeof kept};
    cr_assert_eq(ids_link_proven(&b, &old, &key), IDS_REFUSAL_SECRET,
                 "the listener's own");
    cr_assert_eq(ids_link_welcomed(&a, &said, &key), IDS_REFUSAL_NONE);
    cr_assert(carry(&a, &b, &proof));
    memcpy(kept, proof.body.ptr, sizeof kept);
    cr_assert_eq(ids_link_proven(&b, &proof, &key), IDS_REFUSAL_NONE);
    end();

    begin_as(&other, &key);
    welcome(&key, &said);
    cr_assert_eq(ids_link_proven(&b, &old, &key), IDS_REFUSAL_SECRET,
                 "an old one");
    end();
}

/* Every byte of HELLO and WELCOME is proven, and so is what their heads say:
 * also a field that this version skips. */
Test(link, no_byte_of_what_is_said_can_be_changed_on_the_way) {
    ids_link_key key = key_of("open sesame");
    ids_pf frame;
    uint8_t body[IDS_PF_BODY_BYTES_LOW];
    for (size_t i = 0;; i++) {
        begin(&key);
        cr_assert(carry(&a, &b, &frame));
        if (i == frame.body.len + 2)
            break;
        memcpy(body, frame.body.ptr, frame.body.len);
        frame.body.ptr = body;
        if (i < frame.body.len)
            body[i] ^= 1;
        else if (i == frame.body.len)
            frame.epoch ^= 1;
        else
            frame.flags ^= IDS_PF_FLAG_PRIMARY;
        if (ids_link_hello(&b, &frame, &key) == IDS_REFUSAL_NONE) {
            cr_assert_eq(ids_link_welcome(&b, &primary, &offer, &key), 0);
            cr_assert(carry(&b, &a, &frame));
            cr_assert_eq(ids_link_welcomed(&a, &frame, &key),
                         IDS_REFUSAL_SECRET, "byte %zu", i);
        }
        end();
    }
    end();
}

/* A HELLO with one more field. */
static ids_refusal_why hello_with(unsigned tag, size_t len, size_t cut) {
    uint8_t body[IDS_PF_BODY_BYTES_LOW], filler[64] = {0};
    ids_refusal_why why;
    ids_pf frame;
    begin(&no_key);
    cr_assert(carry(&a, &b, &frame));
    memcpy(body, frame.body.ptr, frame.body.len);
    frame.body.len = (size_t)(ids_field_put(body + frame.body.len,
                                            (ids_field_tag)tag, filler, len) -
                              body) -
                     cut;
    frame.body.ptr = body;
    why = ids_link_hello(&b, &frame, &no_key);
    end();
    return why;
}

Test(link, a_field_of_a_later_version_is_skipped_unless_it_is_needed) {
    cr_assert_eq(hello_with(17, 30, 0), IDS_REFUSAL_NONE, "members");
    cr_assert_eq(hello_with(1234, 0, 0), IDS_REFUSAL_NONE, "who knows");
    cr_assert_eq(hello_with(17 | IDS_FIELD_NEEDED, 30, 0), IDS_REFUSAL_FIELD);
    cr_assert_eq(hello_with(17, 30, 1), IDS_REFUSAL_MALFORMED, "it is cut off");
    cr_assert_eq(hello_with(17, 30, 31), IDS_REFUSAL_MALFORMED, "in its head");
    cr_assert_eq(hello_with(IDS_FIELD_LIFE, 8, 0), IDS_REFUSAL_MALFORMED,
                 "it is there twice");
}

static ids_refusal_why hello_of(uint32_t highest, uint64_t lowest) {
    ids_refusal_why why;
    ids_pf frame;
    begin(&no_key);
    cr_assert(carry(&a, &b, &frame));
    frame.count = highest;
    frame.number = lowest;
    why = ids_link_hello(&b, &frame, &no_key);
    end();
    return why;
}

Test(link, a_version_that_both_speak_is_spoken) {
    cr_assert_eq(hello_of(IDS_PF_WIRE, IDS_PF_WIRE), IDS_REFUSAL_NONE);
    cr_assert_eq(hello_of(IDS_PF_WIRE + 3, IDS_PF_WIRE), IDS_REFUSAL_NONE);
    cr_assert_eq(hello_of(IDS_PF_WIRE + 3, IDS_PF_WIRE + 1), IDS_REFUSAL_WIRE);
    cr_assert_eq(hello_of(1, 1), IDS_REFUSAL_WIRE);
    cr_assert_eq(hello_of(0, 0), IDS_REFUSAL_WIRE_0_1);
}

/* What 0.1 said: node, incarnation, nonce, length and address. */
Test(link, a_node_of_0_1_hears_no_nonsense_and_is_named) {
    uint8_t body[40] = {2, 0, 0, 0, 0, 0, 0, 0, 22};
    ids_pf frame = {
        .kind = IDS_PF_HELLO, .epoch = 1700000000, .body = {body, sizeof body}};
    begin(&no_key);
    cr_assert_eq(ids_link_hello(&b, &frame, &no_key), IDS_REFUSAL_WIRE_0_1);
    frame.kind = IDS_PF_WELCOME;
    frame.stream = 2;
    cr_assert_eq(ids_link_welcomed(&a, &frame, &no_key), IDS_REFUSAL_WIRE_0_1);
    end();
}

/* Names and addresses are shown, kept and dialled. */
Test(link, a_name_and_an_address_must_make_sense) {
    ids_link_self odd = replica;
    ids_pf frame;
    strcpy(odd.name.text, "b\nprimary now");
    begin_as(&odd, &no_key);
    cr_assert(carry(&a, &b, &frame));
    cr_assert_eq(ids_link_hello(&b, &frame, &no_key), IDS_REFUSAL_MALFORMED);
    end();
    odd = replica;
    strcpy(odd.at.text, ":711x");
    begin_as(&odd, &no_key);
    cr_assert(carry(&a, &b, &frame));
    cr_assert_eq(ids_link_hello(&b, &frame, &no_key), IDS_REFUSAL_MALFORMED);
    end();
    odd = replica;
    odd.member.node = 0;
    begin_as(&odd, &no_key);
    cr_assert(carry(&a, &b, &frame));
    cr_assert_eq(ids_link_hello(&b, &frame, &no_key), IDS_REFUSAL_MALFORMED);
    end();
}

Test(link, a_refusal_says_why_and_a_later_versions_reason_is_another) {
    ids_pf frame;
    begin(&no_key);
    a.out.len = 0;
    ids_link_refuse(&a, 7, IDS_REFUSAL_PLACE_TAKEN);
    cr_assert(carry(&a, &b, &frame));
    cr_assert_eq(frame.kind, IDS_PF_REFUSE);
    cr_assert_eq(ids_link_refused(&frame), IDS_REFUSAL_PLACE_TAKEN);
    frame.count = IDS_REFUSAL_COUNT;
    cr_assert_eq(ids_link_refused(&frame), IDS_REFUSAL_OTHER);
    for (int why = 1; why < IDS_REFUSAL_COUNT; why++)
        cr_assert(strlen(ids_refusal_text((ids_refusal_why)why)) > 20);
    end();
}

Test(link, a_stranger_may_not_send_much) {
    uint8_t big[4] = {(IDS_PF_BODY_BYTES_LOW + 1) & 255,
                      (IDS_PF_BODY_BYTES_LOW + 1) >> 8};
    ids_pf frame;
    begin(&no_key);
    cr_assert(ids_link_take(&b, big, 4));
    cr_assert_eq(ids_link_next(&b, &frame), IDS_PF_BROKEN);
    end();
}
