/* test_link.c -- two ends that show each other that they know the secret. */
#include "server/peer/link.h"

#include <criterion/criterion.h>
#include <string.h>

static ids_link a, b; /* a dials b */
static const ids_link_self replica = {.member = {2, 22},
                                      .epoch = 7,
                                      .at = {":7118"},
                                      .nonce = "nonce of replica"};
static const ids_link_self primary = {.member = {1, 11},
                                      .epoch = 8,
                                      .primary = true,
                                      .at = {"db-1.example:7117"},
                                      .nonce = "nonce of primary"};
static const ids_link_offer offer = {
    .session = 99, .streams = 3, .first = 5, .last = 9};

static ids_link_key key_of(const char *secret) {
    ids_link_key key;
    ids_link_key_from(&key,
                      (idp_slice){(const uint8_t *)secret, strlen(secret)});
    return key;
}

static bool carry(ids_link *from, ids_link *to, ids_pf *frame) {
    bool taken = ids_link_take(to, from->out.at, from->out.len);
    from->out.len = 0;
    return taken && ids_link_next(to, frame) == IDS_PF_WHOLE;
}

static void begin(void) {
    a = b = (ids_link){.body_bytes_max = 1024};
    cr_assert(ids_link_dial(&a, &replica, 2, 99));
    ids_link_accept(&b);
}

static void end(void) {
    ids_link_fini(&a);
    ids_link_fini(&b);
}

/* True: both ends are open. */
static bool shake_hands(const char *secret_a, const char *secret_b) {
    ids_link_key key_a = key_of(secret_a), key_b = key_of(secret_b);
    ids_pf frame;
    begin();
    cr_assert(carry(&a, &b, &frame));
    cr_assert(ids_link_hello(&b, &frame));
    cr_assert(ids_link_welcome(&b, &primary, &offer, &key_b));
    cr_assert(carry(&b, &a, &frame));
    if (!ids_link_welcomed(&a, &frame, &key_a))
        return false;
    cr_assert(carry(&a, &b, &frame));
    return ids_link_proven(&b, &frame, &key_b);
}

Test(link, both_learn_who_the_other_is) {
    cr_assert(shake_hands("open sesame", "open sesame"));
    cr_assert_eq(a.state, IDS_LINK_OPEN);
    cr_assert_eq(b.state, IDS_LINK_OPEN);
    cr_assert_eq(a.other.member.incarnation, 11);
    cr_assert_eq(a.other.epoch, 8);
    cr_assert(a.other.primary);
    cr_assert_eq(a.offer.streams, 3);
    cr_assert_eq(a.session, 99);
    cr_assert_eq(b.other.member.incarnation, 22);
    cr_assert_eq(b.stream, 2);
    cr_assert_not(b.other.primary);
    cr_assert_str_eq(a.other.at.text, "db-1.example:7117");
    cr_assert_str_eq(b.other.at.text, ":7118");
    end();
}

Test(link, without_a_secret_none_is_needed) {
    cr_assert(shake_hands("", ""));
    end();
}

Test(link, the_dialler_notices_who_does_not_know_it) {
    cr_assert_not(shake_hands("open sesame", "open barley"));
    end();
    cr_assert_not(shake_hands("open sesame", ""));
    end();
}

/* Nobody can prove himself with the other's proof, nor with one that was
 * heard in another handshake. */
Test(link, a_proof_serves_once_and_one_side_only) {
    ids_link_key key = key_of("open sesame");
    ids_pf welcome = {0}, proof = {0}, old = {0};
    uint8_t kept[IDS_LINK_PROOF_BYTES];
    cr_assert(shake_hands("open sesame", "open sesame"));
    ids_link_self other = replica;
    old = (ids_pf){.kind = IDS_PF_PROOF, .stream = 2, .session = 99};
    other.nonce[0] ^= 1;
    end();

    begin();
    cr_assert(carry(&a, &b, &welcome));
    ids_link_hello(&b, &welcome);
    ids_link_welcome(&b, &primary, &offer, &key);
    cr_assert(carry(&b, &a, &welcome));
    memcpy(kept, welcome.body.ptr + welcome.body.len - sizeof kept,
           sizeof kept);
    old.body = (idp_slice){kept, sizeof kept};
    cr_assert_not(ids_link_proven(&b, &old, &key), "the listener's own");
    cr_assert(ids_link_welcomed(&a, &welcome, &key));
    cr_assert(carry(&a, &b, &proof));
    memcpy(kept, proof.body.ptr, sizeof kept);
    cr_assert(ids_link_proven(&b, &proof, &key));
    end();

    a = b = (ids_link){.body_bytes_max = 1024};
    cr_assert(ids_link_dial(&a, &other, 2, 99));
    ids_link_accept(&b);
    cr_assert(carry(&a, &b, &welcome));
    ids_link_hello(&b, &welcome);
    ids_link_welcome(&b, &primary, &offer, &key);
    cr_assert_not(ids_link_proven(&b, &old, &key), "an old one");
    end();
}

/* What an end says of where it is counts as what it says of who it is. */
Test(link, an_address_is_proven_and_must_make_sense) {
    ids_link_key key = key_of("open sesame");
    ids_pf frame;
    uint8_t body[IDS_PF_BODY_BYTES_LOW];
    begin();
    cr_assert(carry(&a, &b, &frame));
    memcpy(body, frame.body.ptr, frame.body.len);
    body[frame.body.len - 1] = '9';
    frame.body.ptr = body;
    cr_assert(ids_link_hello(&b, &frame));
    cr_assert_str_eq(b.other.at.text, ":7119");
    cr_assert(ids_link_welcome(&b, &primary, &offer, &key));
    cr_assert(carry(&b, &a, &frame));
    cr_assert_not(ids_link_welcomed(&a, &frame, &key), "someone changed it");
    end();
    begin();
    cr_assert(carry(&a, &b, &frame));
    memcpy(body, frame.body.ptr, frame.body.len);
    body[frame.body.len - 1] = 'x';
    frame.body.ptr = body;
    cr_assert_not(ids_link_hello(&b, &frame));
    body[frame.body.len - 1] = '8';
    frame.body.len--;
    cr_assert_not(ids_link_hello(&b, &frame), "it is cut off");
    frame.body.len += 2;
    cr_assert_not(ids_link_hello(&b, &frame), "there is more");
    end();
}

Test(link, a_stranger_may_not_send_much) {
    uint8_t big[IDS_PF_HEAD_BYTES + IDS_PF_BODY_BYTES_LOW + 1] = {0};
    ids_pf frame;
    begin();
    big[0] = (IDS_PF_BODY_BYTES_LOW + 1) & 255;
    big[1] = (IDS_PF_BODY_BYTES_LOW + 1) >> 8;
    cr_assert(ids_link_take(&b, big, 4));
    cr_assert_eq(ids_link_next(&b, &frame), IDS_PF_BROKEN);
    end();
}
