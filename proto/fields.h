/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h -- what the methods' parameters have in common: names, claims,
 * times, the map at the end. Decode and encode side by side.
 *
 * Inside proto only, for request.c and params_*.c. Every text of a
 * refusal is static. */
#ifndef IDP_FIELDS_H
#define IDP_FIELDS_H

#include "proto/cursor.h"
#include "proto/put.h"
#include "proto/request.h"

#include <assert.h>

/* Both return NULL, which is false too. */
static inline const uint8_t *refuse(idp_read_fault *fault, idp_error error,
                                    const char *text) {
    fault->error = error;
    fault->text = text;
    return NULL;
}

static inline const uint8_t *bad(idp_read_fault *fault, const char *text) {
    return refuse(fault, IDP_E_BAD_REQUEST, text);
}

/* Fields of bytes ------------------------------------------------------- */

typedef struct bytes_field {
    size_t len_min;
    size_t len_max;
    const char *wrong; /* BAD_REQUEST: no bytes at all, or too few */
    const char *large; /* TOO_LARGE */
} bytes_field;

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define BYTES_FIELD(name, min, max)                                        \
    {                                                                      \
        min, max,                                                          \
            name " must be a str or bin of " #min ".." TEXT(max) " bytes", \
            name " is over " TEXT(max) " bytes"                            \
    }

static const bytes_field ns_field = BYTES_FIELD("ns", 0, IDP_NS_BYTES_MAX);
static const bytes_field key_field = BYTES_FIELD("key", 1, IDP_KEY_BYTES_MAX);
static const bytes_field fingerprint_field =
    BYTES_FIELD("fingerprint", 0, IDP_FINGERPRINT_BYTES_MAX);
static const bytes_field nonce_field =
    BYTES_FIELD("nonce", 1, IDP_NONCE_BYTES_MAX);
static const bytes_field reason_field =
    BYTES_FIELD("reason", 1, IDP_REASON_BYTES_MAX);
static const bytes_field client_field =
    BYTES_FIELD("client", 0, IDP_CLIENT_BYTES_MAX);
static const bytes_field secret_field =
    BYTES_FIELD("secret", 0, IDP_SECRET_BYTES_MAX);

CURSOR_INLINE bool bytes_read(cursor *c, const bytes_field *field,
                              idp_slice *slice, idp_read_fault *fault) {
    if (!cursor_bytes(c, slice)) {
        return bad(fault, field->wrong);
    }
    if (slice->len > field->len_max) {
        return refuse(fault, IDP_E_TOO_LARGE, field->large);
    }
    if (slice->len < field->len_min) {
        return bad(fault, field->wrong);
    }
    return true;
}

CURSOR_INLINE bool name_read(cursor *c, idp_request *r, idp_read_fault *fault) {
    return bytes_read(c, &ns_field, &r->ns, fault) &&
           bytes_read(c, &key_field, &r->key, fault);
}

static inline uint8_t *name_put(uint8_t *to, const idp_request *r) {
    return put_str(put_str(to, r->ns.ptr, r->ns.len), r->key.ptr, r->key.len);
}

CURSOR_INLINE bool claim_read(cursor *c, idp_request *r,
                              idp_read_fault *fault) {
    return name_read(c, r, fault) &&
           (cursor_token(c, &r->token) ||
            bad(fault, "token must be a str or bin of 16 bytes"));
}

static inline uint8_t *claim_put(uint8_t *to, const idp_request *r) {
    return put_token(name_put(to, r), r->token);
}

/* Fields of time -------------------------------------------------------- */

CURSOR_INLINE bool lease_read(cursor *c, idp_request *r,
                              idp_read_fault *fault) {
    uint64_t ms;
    if (!cursor_uint(c, &ms) || ms < IDP_LEASE_MS_MIN ||
        ms > IDP_LEASE_MS_MAX) {
        return bad(fault, "lease_ms must be an integer of 1..86400000");
    }
    r->lease_ms = (uint32_t)ms;
    return true;
}

CURSOR_INLINE bool ttl_read(cursor *c, idp_request *r, idp_read_fault *fault) {
    if (!cursor_uint(c, &r->ttl_ms) || r->ttl_ms < IDP_TTL_MS_MIN ||
        r->ttl_ms > IDP_TTL_MS_MAX) {
        return bad(fault, "ttl_ms must be an integer of 1..31622400000");
    }
    return true;
}

static_assert(IDP_LEASE_MS_MAX == 86400000 && IDP_TTL_MS_MAX == 31622400000 &&
                  IDP_WAIT_MS_MAX == 60000 && IDP_SHARDS_MAX == 1024,
              "the texts of this file name these limits");

/* The map at the end ---------------------------------------------------- */

typedef struct options {
    const char *names[6]; /* NULL behind the last */
    /* Reads the value of names[at]. */
    bool (*read)(cursor *c, int at, idp_request *r, idp_read_fault *fault);
    const char *unknown;
} options;

static inline int option_find(const options *known, idp_slice name) {
    for (int i = 0; i < 6 && known->names[i]; i++) {
        if (slice_is(name, known->names[i])) {
            return i;
        }
    }
    return -1;
}

/* A nil in its place is a map left out. Each key at most once. Returns the
 * place behind the map, or NULL. */
static inline const uint8_t *options_read(cursor c, const options *known,
                                          idp_request *r,
                                          idp_read_fault *fault) {
    if (cursor_nil(&c)) {
        return c.at;
    }
    uint32_t count;
    if (!cursor_map(&c, &count)) {
        return bad(fault, "the options must be a map");
    }
    unsigned seen = 0;
    for (; count > 0; count--) {
        idp_slice name;
        if (!cursor_bytes(&c, &name)) {
            return bad(fault, "an option's name must be a str");
        }
        int at = option_find(known, name);
        if (at < 0) {
            return bad(fault, known->unknown);
        }
        if (seen & 1u << at) {
            return bad(fault, "an option is given twice");
        }
        seen |= 1u << at;
        if (!known->read(&c, at, r, fault)) {
            return NULL;
        }
    }
    return c.at;
}

#endif
