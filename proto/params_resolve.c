/* SPDX-License-Identifier: Apache-2.0 */
/* params_resolve.c -- the parameters of resolve and erase: decode and
 * encode, side by side.
 *
 * Pure, like request.c, whose part it is. resolve's result and its limit stay
 * together: options_read knows neither. */
#include "proto/fields.h"
#include "proto/params.h"
#include "proto/reply.h"

/* resolve ------------------------------------------------------------------ */

enum { REASON, NONCE, RESULT, CLASS, TTL_MS, FORCE };

static bool resolve_class_read(cursor *c, idp_request *r,
                               idp_read_fault *fault) {
    idp_slice word;
    if (cursor_bytes(c, &word)) {
        r->class =
            slice_is(word, "error") ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
        if (r->class == IDP_CLASS_ERROR || slice_is(word, "success")) {
            return true;
        }
    }
    return bad(fault, "class must be \"success\" or \"error\"");
}

static bool resolve_option_read(cursor *c, int at, idp_request *r,
                                idp_read_fault *fault) {
    switch (at) {
    case REASON:
        return bytes_read(c, &reason_field, &r->reason, fault);
    case NONCE:
        return cursor_nil(c) || bytes_read(c, &nonce_field, &r->nonce, fault);
    case RESULT:
        return cursor_nil(c) || cursor_bytes(c, &r->result) ||
               bad(fault, "result must be a str, a bin or nil");
    case CLASS:
        return resolve_class_read(c, r, fault);
    case TTL_MS:
        return cursor_nil(c) || ttl_read(c, r, fault);
    default:
        return cursor_bool(c, &r->force) || bad(fault, "force must be a bool");
    }
}

static const options resolve_options = {
    {"reason", "nonce", "result", "class", "ttl_ms", "force"},
    resolve_option_read,
    "resolve's options are reason, nonce, result, class, ttl_ms and force",
};

static bool verb_read(cursor *c, idp_request *r, idp_read_fault *fault) {
    idp_slice word;
    if (cursor_bytes(c, &word)) {
        for (int verb = 0; verb < IDP_VERB_COUNT; verb++) {
            if (slice_is(word, idp_verb_name((idp_verb)verb))) {
                r->verb = (idp_verb)verb;
                return true;
            }
        }
    }
    return bad(fault, "verb must be \"complete\", \"release\" or \"delete\"");
}

const uint8_t *idp_resolve_read(cursor c, uint32_t count,
                                size_t result_bytes_max, idp_request *r,
                                idp_read_fault *fault) {
    if (count != 5) {
        return bad(fault, "resolve takes ns, key, token, verb and a map with "
                          "a reason");
    }
    if (!claim_read(&c, r, fault) || !verb_read(&c, r, fault)) {
        return NULL;
    }
    const uint8_t *end = options_read(c, &resolve_options, r, fault);
    if (!end) {
        return NULL;
    }
    if (!r->reason.ptr) {
        return bad(fault, "resolve wants a reason: it goes into the audit log");
    }
    if (r->result.len > result_bytes_max) {
        return refuse(fault, IDP_E_TOO_LARGE, "result is over its limit");
    }
    if (r->verb != IDP_VERB_COMPLETE && (r->result.ptr || r->ttl_ms > 0)) {
        return bad(fault, "result and ttl_ms belong to complete");
    }
    return end;
}

uint8_t *idp_resolve_put(uint8_t *to, const idp_request *r) {
    bool has_result = r->result.ptr && !r->result_too_large;
    bool error = r->class == IDP_CLASS_ERROR;
    to = claim_put(put_array(put_word(to, "resolve"), 5), r);
    to = put_word(to, idp_verb_name(r->verb));
    to = put_map(to, 1u + (r->nonce.len > 0) + has_result + error +
                         (r->ttl_ms > 0) + r->force);
    to = put_str(put_word(to, "reason"), r->reason.ptr, r->reason.len);
    if (r->nonce.len > 0) {
        to = put_bin(put_word(to, "nonce"), r->nonce);
    }
    if (has_result) {
        to = put_bin(put_word(to, "result"), r->result);
    }
    if (error) {
        to = put_word(put_word(to, "class"), "error");
    }
    if (r->ttl_ms > 0) {
        to = put_uint(put_word(to, "ttl_ms"), r->ttl_ms);
    }
    return r->force ? put_bool(put_word(to, "force"), true) : to;
}

/* erase -------------------------------------------------------------------- */

static bool erase_option_read(cursor *c, int at, idp_request *r,
                              idp_read_fault *fault) {
    if (at == 0) {
        return bytes_read(c, &reason_field, &r->reason, fault);
    }
    return cursor_bool(c, &r->dry_run) || bad(fault, "dry_run must be a bool");
}

static const options erase_options = {
    {"reason", "dry_run"},
    erase_option_read,
    "erase's options are reason and dry_run",
};

static const bytes_field prefix_field =
    BYTES_FIELD("prefix", 0, IDP_KEY_BYTES_MAX);

const uint8_t *idp_erase_read(cursor c, uint32_t count, idp_request *r,
                              idp_read_fault *fault) {
    if (count != 3) {
        return bad(fault, "erase takes ns, prefix and a map with a reason");
    }
    if (!bytes_read(&c, &ns_field, &r->ns, fault) ||
        !bytes_read(&c, &prefix_field, &r->key, fault)) {
        return NULL;
    }
    const uint8_t *end = options_read(c, &erase_options, r, fault);
    if (end && !r->reason.ptr) {
        return bad(fault, "erase wants a reason: it goes into the audit log");
    }
    return end;
}

uint8_t *idp_erase_put(uint8_t *to, const idp_request *r) {
    to = name_put(put_array(put_word(to, "erase"), 3), r);
    to = put_map(to, 1u + r->dry_run);
    to = put_str(put_word(to, "reason"), r->reason.ptr, r->reason.len);
    return r->dry_run ? put_bool(put_word(to, "dry_run"), true) : to;
}

/* The frame ---------------------------------------------------------------- */

/* The largest legal requests, every header and number in its longest form. */
enum {
    BYTES_MAX = 5, /* a str's or bin's header, an array's or map's too */
    NUMBER_MAX = 9,
    HEAD_MAX = 5 + 9 + 9 + 5 + 5, /* without the method's name */
    NAME_MAX = 2 * BYTES_MAX + IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX,
    ACQUIRE_MAX = HEAD_MAX + 7 + NAME_MAX + 2 * BYTES_MAX +
                  IDP_FINGERPRINT_BYTES_MAX + IDP_NONCE_BYTES_MAX +
                  2 * NUMBER_MAX + BYTES_MAX + (BYTES_MAX + 7 + NUMBER_MAX) +
                  (BYTES_MAX + 9 + BYTES_MAX + 8),
    COMPLETE_MAX = HEAD_MAX + 8 + NAME_MAX + BYTES_MAX + IDP_TOKEN_BYTES +
                   BYTES_MAX + NUMBER_MAX + BYTES_MAX +
                   (BYTES_MAX + 5 + BYTES_MAX + 7),
    RESOLVE_MAX =
        HEAD_MAX + 7 + NAME_MAX + BYTES_MAX + IDP_TOKEN_BYTES + BYTES_MAX + 8 +
        BYTES_MAX + (BYTES_MAX + 6 + BYTES_MAX + IDP_REASON_BYTES_MAX) +
        (BYTES_MAX + 5 + BYTES_MAX + IDP_NONCE_BYTES_MAX) +
        (BYTES_MAX + 6 + BYTES_MAX) + (BYTES_MAX + 5 + BYTES_MAX + 7) +
        (BYTES_MAX + 6 + NUMBER_MAX) + (BYTES_MAX + 5 + 1),
};

_Static_assert((int)RESOLVE_MAX > (int)COMPLETE_MAX &&
                   (int)RESOLVE_MAX > (int)ACQUIRE_MAX,
               "resolve's is the largest");

size_t idp_request_bytes_max(size_t result_bytes_max) {
    return RESOLVE_MAX + result_bytes_max;
}
