/* link.c -- see link.h. Pure. */
#include "server/peer/link.h"

#include <sodium.h>
#include <string.h>

_Static_assert(IDS_LINK_PROOF_BYTES == crypto_auth_BYTES, "a proof is a tag");
_Static_assert(IDS_LINK_KEY_BYTES == crypto_auth_KEYBYTES, "a key is a key");

/* Of what an end says of itself: without its address, and with the longest. */
#define SELF_BYTES     (16 + IDS_LINK_NONCE_BYTES + 1)
#define SELF_BYTES_MAX (SELF_BYTES + IDS_ENDPOINT_BYTES - 1)
#define OFFER_BYTES    40
#define TAIL_BYTES     (OFFER_BYTES + IDS_LINK_PROOF_BYTES)

_Static_assert(SELF_BYTES_MAX + TAIL_BYTES <= IDS_PF_BODY_BYTES_LOW,
               "a WELCOME is small enough for a stranger");

void ids_link_key_from(ids_link_key *key, idp_slice secret) {
    *key = (ids_link_key){.set = secret.len > 0};
    if (key->set)
        crypto_generichash(key->bytes, sizeof key->bytes, secret.ptr,
                           secret.len, NULL, 0);
}

static uint8_t *put_self(uint8_t *at, const ids_link_self *self) {
    size_t len = strlen(self->at.text);
    ids_put_u64(at, self->member.node);
    ids_put_u64(at + 8, self->member.incarnation);
    memcpy(at + 16, self->nonce, IDS_LINK_NONCE_BYTES);
    at[16 + IDS_LINK_NONCE_BYTES] = (uint8_t)len;
    memcpy(at + SELF_BYTES, self->at.text, len);
    return at + SELF_BYTES + len;
}

/* What an end says of itself, with so many bytes behind it. NULL: that is not
 * what is there. */
static const uint8_t *get_self(idp_slice body, size_t behind,
                               ids_link_self *self) {
    const uint8_t *at = body.ptr;
    size_t len;
    if (body.len < SELF_BYTES + behind)
        return NULL;
    len = at[SELF_BYTES - 1];
    if (body.len != SELF_BYTES + len + behind ||
        !ids_endpoint_from(&self->at, at + SELF_BYTES, len))
        return NULL;
    self->member.node = ids_get_u64(at);
    self->member.incarnation = ids_get_u64(at + 8);
    memcpy(self->nonce, at + 16, IDS_LINK_NONCE_BYTES);
    return at + SELF_BYTES + len;
}

static uint8_t *put_offer(uint8_t *at, const ids_link_offer *offer) {
    ids_put_u64(at, offer->session);
    ids_put_u64(at + 8, offer->streams);
    ids_put_u64(at + 16, offer->first);
    ids_put_u64(at + 24, offer->last);
    ids_put_u64(at + 32, offer->member);
    return at + OFFER_BYTES;
}

static const uint8_t *get_offer(const uint8_t *at, ids_link_offer *offer) {
    offer->session = ids_get_u64(at);
    offer->streams = ids_get_u64(at + 8);
    offer->first = ids_get_u64(at + 16);
    offer->last = ids_get_u64(at + 24);
    offer->member = ids_get_u64(at + 32);
    return at + OFFER_BYTES;
}

/* whose: 'W' the listener's proof, 'P' the dialler's. */
static void prove(const ids_link *link, const ids_link_key *key, char whose,
                  uint8_t proof[IDS_LINK_PROOF_BYTES]) {
    const ids_link_self *ends[2] = {&link->self, &link->other};
    uint8_t said[8 + 2 * (SELF_BYTES_MAX + 16) + OFFER_BYTES] = "peer 1";
    uint8_t *at = said + 8;
    memset(proof, 0, IDS_LINK_PROOF_BYTES);
    if (!key->set)
        return;
    said[7] = (uint8_t)whose;
    for (int i = 0; i < 2; i++) { /* the dialler first */
        const ids_link_self *end = ends[link->dialled ? i : 1 - i];
        at = put_self(at, end);
        ids_put_u64(at, end->epoch);
        ids_put_u64(at + 8, (uint64_t)end->primary << 32 | link->stream);
        at += 16;
    }
    at = put_offer(at, &link->offer);
    crypto_auth(proof, said, (size_t)(at - said), key->bytes);
}

static bool is_proof(const ids_link *link, const ids_link_key *key, char whose,
                     const uint8_t *shown) {
    uint8_t proof[IDS_LINK_PROOF_BYTES];
    prove(link, key, whose, proof);
    return !key->set || sodium_memcmp(proof, shown, sizeof proof) == 0;
}

static bool say_body(ids_link *link, ids_pf_kind kind, const uint8_t *body,
                     size_t len) {
    ids_pf frame = {.kind = kind,
                    .flags = link->self.primary ? IDS_PF_FLAG_PRIMARY : 0,
                    .stream = link->stream,
                    .epoch = link->self.epoch,
                    .session = link->session,
                    .body = {body, len}};
    return ids_pf_append(&link->out, &frame);
}

bool ids_link_dial(ids_link *link, const ids_link_self *self, uint32_t stream,
                   uint64_t session) {
    uint8_t body[SELF_BYTES_MAX];
    link->state = IDS_LINK_DIALLED;
    link->dialled = true;
    link->self = *self;
    link->stream = stream;
    link->session = session;
    return say_body(link, IDS_PF_HELLO, body,
                    (size_t)(put_self(body, self) - body));
}

void ids_link_accept(ids_link *link) {
    link->state = IDS_LINK_ACCEPTED;
    link->dialled = false;
}

void ids_link_set_seen_host(ids_link *link, const char *host) {
    size_t len = strlen(host);
    if (len < sizeof link->seen_host)
        memcpy(link->seen_host, host, len + 1);
}

void ids_link_fini(ids_link *link) {
    ids_pbuf_fini(&link->in);
    ids_pbuf_fini(&link->out);
}

bool ids_link_hello(ids_link *link, const ids_pf *frame) {
    if (link->state != IDS_LINK_ACCEPTED || frame->kind != IDS_PF_HELLO ||
        get_self(frame->body, 0, &link->other) == NULL)
        return false;
    link->other.epoch = frame->epoch;
    link->other.primary = (frame->flags & IDS_PF_FLAG_PRIMARY) != 0;
    link->stream = frame->stream;
    link->session = frame->session;
    return true;
}

bool ids_link_welcome(ids_link *link, const ids_link_self *self,
                      const ids_link_offer *offer, const ids_link_key *key) {
    uint8_t body[SELF_BYTES_MAX + TAIL_BYTES];
    uint8_t *proof;
    link->self = *self;
    link->offer = *offer;
    link->session = offer->session;
    link->state = IDS_LINK_OFFERED;
    proof = put_offer(put_self(body, self), offer);
    prove(link, key, 'W', proof);
    return say_body(link, IDS_PF_WELCOME, body,
                    (size_t)(proof + IDS_LINK_PROOF_BYTES - body));
}

bool ids_link_welcomed(ids_link *link, const ids_pf *frame,
                       const ids_link_key *key) {
    uint8_t proof[IDS_LINK_PROOF_BYTES];
    const uint8_t *shown;
    if (link->state != IDS_LINK_DIALLED || frame->kind != IDS_PF_WELCOME)
        return false;
    shown = get_self(frame->body, TAIL_BYTES, &link->other);
    if (shown == NULL)
        return false;
    shown = get_offer(shown, &link->offer);
    link->other.epoch = frame->epoch;
    link->other.primary = (frame->flags & IDS_PF_FLAG_PRIMARY) != 0;
    if (!is_proof(link, key, 'W', shown))
        return false;
    link->session = link->offer.session;
    link->state = IDS_LINK_OPEN;
    prove(link, key, 'P', proof);
    return say_body(link, IDS_PF_PROOF, proof, sizeof proof);
}

bool ids_link_proven(ids_link *link, const ids_pf *frame,
                     const ids_link_key *key) {
    if (link->state != IDS_LINK_OFFERED || frame->kind != IDS_PF_PROOF ||
        frame->body.len != IDS_LINK_PROOF_BYTES ||
        !is_proof(link, key, 'P', frame->body.ptr))
        return false;
    link->state = IDS_LINK_OPEN;
    return true;
}

static size_t body_max(const ids_link *link) {
    return link->state == IDS_LINK_OPEN ? link->body_bytes_max
                                        : IDS_PF_BODY_BYTES_LOW;
}

bool ids_link_take(ids_link *link, const uint8_t *bytes, size_t len) {
    ids_pbuf_consume(&link->in, link->in_at);
    link->in_at = 0;
    if (link->in.len + len >
            2 * (IDS_PF_HEAD_BYTES + link->body_bytes_max) + len ||
        !ids_pbuf_reserve(&link->in, len))
        return false;
    if (len > 0)
        memcpy(link->in.at + link->in.len, bytes, len);
    link->in.len += len;
    return true;
}

ids_pf_read_status ids_link_next(ids_link *link, ids_pf *frame) {
    size_t frame_bytes = 0;
    ids_pf_read_status status =
        ids_pf_read(link->in.at + link->in_at, link->in.len - link->in_at,
                    body_max(link), frame, &frame_bytes);
    if (status == IDS_PF_WHOLE)
        link->in_at += frame_bytes;
    return status;
}

bool ids_link_say(ids_link *link, ids_pf_kind kind, uint64_t epoch,
                  uint64_t number, uint32_t flags) {
    ids_pf frame = {.kind = kind,
                    .flags = flags,
                    .stream = link->stream,
                    .epoch = epoch,
                    .session = link->session,
                    .number = number};
    return ids_pf_append(&link->out, &frame);
}
