/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c -- HELLO, WELCOME, PROOF; see link.h. Write and read stand side
 * by side. Pure. */
#include "server/base/pack.h"
#include "server/peer/fields.h"
#include "server/peer/link.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(IDS_LINK_PROOF_BYTES == crypto_auth_BYTES, "a proof is a tag");
_Static_assert(IDS_LINK_KEY_BYTES == crypto_auth_KEYBYTES, "a key is a key");
_Static_assert(IDS_LINK_TRANSCRIPT_BYTES >= crypto_generichash_BYTES_MIN,
               "what was said is a hash");

#define SELF_FIELDS 11
#define SELF_BYTES_MAX                                                     \
    (SELF_FIELDS * IDS_FIELD_HEAD_BYTES + 16 + 6 * sizeof(uint64_t) +      \
     IDS_LINK_NONCE_BYTES + 2 * IDS_ENDPOINT_BYTES + IDS_NODE_NAME_BYTES + \
     IDS_PROGRAM_BYTES)
#define OFFER_NUMBERS 6
#define OFFER_NEEDED  5 /* of 0.1 */
#define TAIL_BYTES                                                 \
    (2 * IDS_FIELD_HEAD_BYTES + OFFER_NUMBERS * sizeof(uint64_t) + \
     IDS_LINK_PROOF_BYTES)

_Static_assert(SELF_BYTES_MAX + TAIL_BYTES <= IDS_PF_BODY_BYTES_LOW / 4,
               "a WELCOME is small enough for a stranger, and may grow");

void ids_link_key_from(ids_link_key *key, idp_slice secret) {
    *key = (ids_link_key){.set = secret.len > 0};
    if (key->set)
        crypto_generichash(key->bytes, sizeof key->bytes, secret.ptr,
                           secret.len, NULL, 0);
}

void ids_link_key_next(ids_link_key *key, idp_slice secret) {
    assert(key->set);
    key->has_next = secret.len > 0;
    if (key->has_next)
        crypto_generichash(key->next, sizeof key->next, secret.ptr, secret.len,
                           NULL, 0);
}

/* --- what an end says of itself ------------------------------------------- */

static uint8_t *put_u64(uint8_t *at, ids_field_tag tag, uint64_t number) {
    uint8_t bytes[8];
    ids_put_u64(bytes, number);
    return ids_field_put(at, tag, bytes, sizeof bytes);
}

static uint8_t *put_link_text(uint8_t *at, ids_field_tag tag,
                              const char *text) {
    return ids_field_put(at, tag, text, strlen(text));
}

enum { BY_WORD = 1, GUARDS = 2 };

static uint8_t *put_link_origin(uint8_t *at, const ids_link_self *self) {
    uint8_t bytes[16];
    ids_put_u64(bytes, self->origin.epoch);
    ids_put_u64(bytes + 8, (self->origin.by_word ? BY_WORD : 0u) |
                               (self->guards ? GUARDS : 0u));
    return ids_field_put(at, IDS_FIELD_ORIGIN, bytes, sizeof bytes);
}

static bool get_origin(const ids_fields *fields, ids_link_self *self) {
    uint64_t bits;
    if (!ids_field_u64(fields, IDS_FIELD_ORIGIN, 0, &self->origin.epoch) ||
        !ids_field_u64(fields, IDS_FIELD_ORIGIN, 1, &bits))
        return false;
    self->origin.by_word = (bits & BY_WORD) != 0;
    self->guards = (bits & GUARDS) != 0;
    return true;
}

static uint8_t *put_self(uint8_t *at, const ids_link_self *self) {
    uint8_t member[16];
    ids_put_u64(member, self->member.node);
    ids_put_u64(member + 8, self->member.incarnation);
    at = ids_field_put(at, IDS_FIELD_MEMBER, member, sizeof member);
    at = ids_field_put(at, IDS_FIELD_NONCE, self->nonce, sizeof self->nonce);
    at = put_u64(at, IDS_FIELD_LIFE, self->life);
    at = put_link_text(at, IDS_FIELD_AT, self->at.text);
    at = put_link_text(at, IDS_FIELD_HTTP, self->http.text);
    at = put_link_text(at, IDS_FIELD_NAME, self->name.text);
    at = put_u64(at, IDS_FIELD_LIMITS, self->result_bytes_max);
    at = put_u64(at, IDS_FIELD_SETTINGS, self->settings);
    at = put_u64(at, IDS_FIELD_LED, self->led);
    at = put_link_origin(at, self);
    assert(strlen(self->program) < IDS_PROGRAM_BYTES);
    return put_link_text(at, IDS_FIELD_PROGRAM, self->program);
}

static void get_program(idp_slice text, char to[static IDS_PROGRAM_BYTES]) {
    size_t len =
        text.len < IDS_PROGRAM_BYTES ? text.len : IDS_PROGRAM_BYTES - 1;
    memset(to, 0, IDS_PROGRAM_BYTES);
    for (size_t i = 0; i < len; i++)
        to[i] =
            text.ptr[i] > ' ' && text.ptr[i] <= '~' ? (char)text.ptr[i] : '?';
}

/* False: something that is always there is not, or makes no sense. */
static bool get_self(const ids_fields *fields, ids_link_self *self) {
    const idp_slice *at = fields->at;
    if (!ids_field_u64(fields, IDS_FIELD_MEMBER, 0, &self->member.node) ||
        !ids_field_u64(fields, IDS_FIELD_MEMBER, 1,
                       &self->member.incarnation) ||
        !ids_field_u64(fields, IDS_FIELD_LIFE, 0, &self->life) ||
        !ids_field_u64(fields, IDS_FIELD_LIMITS, 0, &self->result_bytes_max) ||
        !ids_field_u64(fields, IDS_FIELD_SETTINGS, 0, &self->settings) ||
        !ids_field_u64(fields, IDS_FIELD_LED, 0, &self->led) ||
        !get_origin(fields, self) ||
        at[IDS_FIELD_NONCE].len < IDS_LINK_NONCE_BYTES ||
        !ids_endpoint_from(&self->at, at[IDS_FIELD_AT].ptr,
                           at[IDS_FIELD_AT].len) ||
        !ids_endpoint_from(&self->http, at[IDS_FIELD_HTTP].ptr,
                           at[IDS_FIELD_HTTP].len) ||
        !ids_node_name_from(&self->name, at[IDS_FIELD_NAME]))
        return false;
    memcpy(self->nonce, at[IDS_FIELD_NONCE].ptr, IDS_LINK_NONCE_BYTES);
    get_program(at[IDS_FIELD_PROGRAM], self->program);
    return self->member.node != 0 && self->member.incarnation != 0;
}

static uint8_t *put_offer(uint8_t *at, const ids_link_offer *offer) {
    const uint64_t numbers[OFFER_NUMBERS] = {offer->session, offer->streams,
                                             offer->first,   offer->last,
                                             offer->member,  offer->from};
    uint8_t bytes[OFFER_NUMBERS * sizeof(uint64_t)];
    for (size_t i = 0; i < OFFER_NUMBERS; i++)
        ids_put_u64(bytes + 8 * i, numbers[i]);
    return ids_field_put(at, IDS_FIELD_OFFER, bytes, sizeof bytes);
}

static bool get_offer(const ids_fields *fields, ids_link_offer *offer) {
    uint64_t *const numbers[OFFER_NUMBERS] = {&offer->session, &offer->streams,
                                              &offer->first,   &offer->last,
                                              &offer->member,  &offer->from};
    offer->from = 0;
    for (size_t i = 0; i < OFFER_NUMBERS; i++)
        if (!ids_field_u64(fields, IDS_FIELD_OFFER, i, numbers[i]) &&
            i < OFFER_NEEDED)
            return false;
    return true;
}

/* --- proofs --------------------------------------------------------------- */

static void
note_transcript(uint8_t transcript[static IDS_LINK_TRANSCRIPT_BYTES],
                const ids_pf *frame, size_t body_bytes) {
    crypto_generichash_state state;
    uint8_t head[IDS_PF_SIGNED_BYTES];
    assert(body_bytes <= frame->body.len);
    ids_pf_signed(frame, head);
    crypto_generichash_init(&state, NULL, 0, IDS_LINK_TRANSCRIPT_BYTES);
    crypto_generichash_update(&state, head, sizeof head);
    crypto_generichash_update(&state, frame->body.ptr, body_bytes);
    crypto_generichash_final(&state, transcript, IDS_LINK_TRANSCRIPT_BYTES);
}

/* whose: 'W' the listener's proof, 'P' the dialler's. */
static void prove(const ids_link *link, const ids_link_key *key, char whose,
                  uint8_t proof[static IDS_LINK_PROOF_BYTES]) {
    uint8_t transcript[8 + sizeof link->transcript] = "peer 2";
    assert(whose == 'W' || whose == 'P');
    memset(proof, 0, IDS_LINK_PROOF_BYTES);
    if (!key->set)
        return;
    transcript[7] = (uint8_t)whose;
    memcpy(transcript + 8, link->transcript, sizeof link->transcript);
    crypto_auth(proof, transcript, sizeof transcript, key->bytes);
}

/* By either of the two. by: the one that it was made with. */
static bool is_proof(const ids_link *link, const ids_link_key *key, char whose,
                     const uint8_t *shown, ids_link_key *by) {
    uint8_t proof[IDS_LINK_PROOF_BYTES];
    *by = *key;
    prove(link, by, whose, proof);
    if (!key->set || sodium_memcmp(proof, shown, sizeof proof) == 0)
        return true;
    if (!key->has_next)
        return false;
    memcpy(by->bytes, key->next, sizeof by->bytes);
    prove(link, by, whose, proof);
    return sodium_memcmp(proof, shown, sizeof proof) == 0;
}

/* --- the frames ----------------------------------------------------------- */

static ids_pf handshake_frame(const ids_link *link, ids_pf_kind kind,
                              const ids_link_key *key, const uint8_t *body,
                              size_t len) {
    return (ids_pf){.kind = kind,
                    .flags = (link->self.primary ? IDS_PF_FLAG_PRIMARY : 0) |
                             (key->set ? IDS_PF_FLAG_SECRET : 0),
                    .stream = link->stream,
                    .count = IDS_PF_WIRE,
                    .epoch = link->self.epoch,
                    .session = link->session,
                    .body = {body, len}};
}

/* What the other end's HELLO or WELCOME says of it. */
static ids_refusal_why read_self(ids_link *link, const ids_pf *frame,
                                 const ids_link_key *key, ids_fields *fields) {
    bool demands = (frame->flags & IDS_PF_FLAG_SECRET) != 0;
    ids_fields_fault fault = ids_fields_read(frame->body, fields);
    if (fault == IDS_FIELDS_NEEDED)
        return IDS_REFUSAL_FIELD;
    if (fault != IDS_FIELDS_OK || !get_self(fields, &link->other))
        return IDS_REFUSAL_MALFORMED;
    link->other.epoch = frame->epoch;
    link->other.primary = (frame->flags & IDS_PF_FLAG_PRIMARY) != 0;
    return demands == key->set ? IDS_REFUSAL_NONE : IDS_REFUSAL_SECRET_MISSING;
}

bool ids_link_dial(ids_link *link, const ids_link_self *self, uint32_t stream,
                   uint64_t session, const ids_link_key *key) {
    uint8_t body[SELF_BYTES_MAX];
    ids_pf frame;
    assert(link->out.len == 0 && link->in.len == 0);
    assert((stream == 0) == (session == 0));
    link->state = IDS_LINK_DIALLED;
    link->dialled = true;
    link->self = *self;
    link->stream = stream;
    link->session = session;
    frame = handshake_frame(link, IDS_PF_HELLO, key, body,
                            (size_t)(put_self(body, self) - body));
    frame.number = IDS_PF_WIRE;
    assert(frame.body.len <= sizeof body);
    note_transcript(link->transcript[0], &frame, frame.body.len);
    return ids_pf_append(&link->out, &frame);
}

ids_refusal_why ids_link_hello(ids_link *link, const ids_pf *frame,
                               const ids_link_key *key) {
    ids_fields fields;
    if (link->state != IDS_LINK_ACCEPTED || frame->kind != IDS_PF_HELLO)
        return IDS_REFUSAL_MALFORMED;
    link->stream = frame->stream;
    link->session = frame->session;
    if (frame->count == 0)
        return IDS_REFUSAL_WIRE_0_1;
    if (frame->count < IDS_PF_WIRE || frame->number > IDS_PF_WIRE)
        return IDS_REFUSAL_WIRE;
    note_transcript(link->transcript[0], frame, frame->body.len);
    return read_self(link, frame, key, &fields);
}

ids_refusal_why ids_link_welcome(ids_link *link, const ids_link_self *self,
                                 const ids_link_offer *offer,
                                 const ids_link_key *key) {
    uint8_t body[SELF_BYTES_MAX + TAIL_BYTES], proof[IDS_LINK_PROOF_BYTES];
    uint8_t *end;
    ids_pf frame;
    assert(link->state == IDS_LINK_ACCEPTED);
    assert(!link->dialled);
    assert(offer->session != 0);
    link->self = *self;
    link->offer = *offer;
    link->session = offer->session;
    link->state = IDS_LINK_OFFERED;
    memset(proof, 0, sizeof proof);
    end = ids_field_put(put_offer(put_self(body, self), offer), IDS_FIELD_PROOF,
                        proof, sizeof proof);
    assert((size_t)(end - body) <= sizeof body);
    frame =
        handshake_frame(link, IDS_PF_WELCOME, key, body, (size_t)(end - body));
    note_transcript(link->transcript[1], &frame, frame.body.len - sizeof proof);
    prove(link, key, 'W', end - sizeof proof);
    return ids_pf_append(&link->out, &frame) ? IDS_REFUSAL_NONE
                                             : IDS_REFUSAL_NO_MEMORY;
}

/* The proof is the last field, and nothing is behind it. */
static bool ends_with_proof(const ids_pf *frame, const ids_fields *fields) {
    const idp_slice *proof = &fields->at[IDS_FIELD_PROOF];
    return proof->len == IDS_LINK_PROOF_BYTES &&
           proof->ptr + proof->len == frame->body.ptr + frame->body.len;
}

ids_refusal_why ids_link_welcomed(ids_link *link, const ids_pf *frame,
                                  const ids_link_key *key) {
    uint8_t proof[IDS_LINK_PROOF_BYTES];
    ids_link_key by;
    ids_refusal_why why;
    ids_fields fields;
    ids_pf answer;
    if (link->state != IDS_LINK_DIALLED || frame->kind != IDS_PF_WELCOME ||
        frame->stream != link->stream)
        return IDS_REFUSAL_MALFORMED;
    if (frame->count != IDS_PF_WIRE)
        return frame->count == 0 ? IDS_REFUSAL_WIRE_0_1 : IDS_REFUSAL_WIRE;
    why = read_self(link, frame, key, &fields);
    if (why != IDS_REFUSAL_NONE)
        return why;
    if (!get_offer(&fields, &link->offer) || !ends_with_proof(frame, &fields))
        return IDS_REFUSAL_MALFORMED;
    note_transcript(link->transcript[1], frame, frame->body.len - sizeof proof);
    if (!is_proof(link, key, 'W', fields.at[IDS_FIELD_PROOF].ptr, &by))
        return IDS_REFUSAL_SECRET;
    link->session = link->offer.session;
    link->state = IDS_LINK_OPEN;
    assert(link->dialled);
    prove(link, &by, 'P', proof);
    sodium_memzero(&by, sizeof by);
    answer = handshake_frame(link, IDS_PF_PROOF, key, proof, sizeof proof);
    return ids_pf_append(&link->out, &answer) ? IDS_REFUSAL_NONE
                                              : IDS_REFUSAL_NO_MEMORY;
}

ids_refusal_why ids_link_proven(ids_link *link, const ids_pf *frame,
                                const ids_link_key *key) {
    ids_link_key by;
    if (link->state != IDS_LINK_OFFERED || frame->kind != IDS_PF_PROOF ||
        frame->body.len != IDS_LINK_PROOF_BYTES)
        return IDS_REFUSAL_MALFORMED;
    bool is_good = is_proof(link, key, 'P', frame->body.ptr, &by);
    sodium_memzero(&by, sizeof by);
    if (!is_good)
        return IDS_REFUSAL_SECRET;
    assert(!link->dialled && link->session != 0);
    link->state = IDS_LINK_OPEN;
    return IDS_REFUSAL_NONE;
}
