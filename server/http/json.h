/* SPDX-License-Identifier: Apache-2.0 */
/* json.h -- JSON: where a value ends, an object's members, and text by hand.
 *
 * The scan is our own: it finds the slice that a value is, as it was sent,
 * whatever its depth or its numbers are; memory for what is nested is one bit a
 * level. A member is then read by jansson, which sees scalars only. Pure but
 * for jansson's memory. */
#ifndef IDS_HTTP_JSON_H
#define IDS_HTTP_JSON_H

#include "proto/bytes.h"
#include "proto/terms.h"

#include <string.h>

/* Deeper than this a value is none for us. */
#define IDS_JSON_DEPTH_MAX (64u << 10)

/* Takes one value of RFC 8259, in UTF-8, off bytes from *at on, white space
 * around it included; value is it without that. depth_max: how many arrays and
 * objects may lie in each other. False: there is none. */
bool ids_json_value(idp_slice bytes, size_t *at, uint32_t depth_max,
                    idp_slice *value);

/* The bytes are one value and nothing else. */
bool ids_json_is_text(idp_slice bytes);

bool ids_is_utf8(idp_slice bytes);

/* An object's members, in their order. Names have no escapes, or it is
 * refused; so is one that stands there twice. */
#define IDS_JSON_MEMBERS_MAX      24
/* Of all but the member that is kept as it was sent. */
#define IDS_JSON_MEMBER_DEPTH_MAX 8

typedef struct ids_json_member {
    idp_slice name;
    idp_slice value; /* as it was sent */
} ids_json_member;

typedef struct ids_json_object {
    uint32_t count;
    ids_json_member all[IDS_JSON_MEMBERS_MAX];
} ids_json_object;

/* deep: the name of the member that may be nested as it likes; NULL: none.
 * NULL when it is good, else why it is not. */
const char *ids_json_object_read(idp_slice text, const char *deep,
                                 ids_json_object *object);

/* NULL: it has no such member. */
const ids_json_member *ids_json_find(const ids_json_object *object,
                                     const char *name);

/* What it is as a string: borrowed, or its escapes undone behind to's end,
 * where as much room is as the member is long. Or as a whole number of
 * 0..2^53-1. False: it is none. */
bool ids_json_string(const ids_json_member *member, idp_bytes *to,
                     idp_slice *string);
bool ids_json_number(const ids_json_member *member, uint64_t *number);
bool ids_json_bool(const ids_json_member *member, bool *value);

/* Writing. A failure (no memory) is kept, and told at the end. */
typedef struct ids_json_out {
    idp_bytes *to;
    bool failed;
} ids_json_out;

void ids_json_put_bytes(ids_json_out *out, idp_slice bytes);
static inline void ids_json_put(ids_json_out *out, const char *text) {
    ids_json_put_bytes(out, (idp_slice){(const uint8_t *)text, strlen(text)});
}
/* In quotes, with escapes. The bytes are UTF-8. */
void ids_json_put_string(ids_json_out *out, idp_slice utf8);
void ids_json_put_base64(ids_json_out *out, idp_slice bytes);
void ids_json_put_number(ids_json_out *out, uint64_t number);
/* ,"name":number */
void ids_json_put_field(ids_json_out *out, const char *name, uint64_t number);
/* ,"name":"word", of our own */
void ids_json_put_word(ids_json_out *out, const char *name, const char *word);

#endif
