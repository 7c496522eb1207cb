/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.c -- members read by jansson, and JSON written by hand; see json.h.
 */
#include "server/http/chars.h"
#include "server/http/json.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>

#define PLAIN_DIGITS_MAX 15
_Static_assert(IDP_INT_MAX > 999999999999999u, "so many digits always fit");

static json_t *load_scalar(const ids_json_member *member) {
    return json_loadb((const char *)member->value.ptr, member->value.len,
                      JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

bool ids_json_string(const ids_json_member *member, idp_bytes *to,
                     idp_slice *string) {
    idp_slice value = member->value;
    if (value.ptr[0] != '"')
        return false;
    if (!memchr(value.ptr, '\\',
                value.len)) { /* most are what they stand for */
        *string = (idp_slice){value.ptr + 1, value.len - 2};
        return true;
    }
    json_t *json = load_scalar(member);
    size_t len = json_string_length(json);
    bool good = json_is_string(json);
    if (good) {
        assert(len <= to->cap - to->len);
        *string = (idp_slice){to->ptr + to->len, len};
        memcpy(to->ptr + to->len, json_string_value(json), len);
        to->len += len;
    }
    json_decref(json);
    return good;
}

/* Nothing but digits, and no more than a number of ours may have: most are. */
static bool read_plain_number(idp_slice value, uint64_t *number) {
    *number = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i]))
            return false;
        *number = *number * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    return value.len <= PLAIN_DIGITS_MAX;
}

bool ids_json_number(const ids_json_member *member, uint64_t *number) {
    uint8_t first = member->value.ptr[0];
    if (first != '-' && !is_digit(first))
        return false;
    if (read_plain_number(member->value, number))
        return true;
    json_t *json = load_scalar(member);
    bool good = json_is_integer(json) && json_integer_value(json) >= 0 &&
                (uint64_t)json_integer_value(json) <= IDP_INT_MAX;
    if (good)
        *number = (uint64_t)json_integer_value(json);
    json_decref(json);
    return good;
}

bool ids_json_bool(const ids_json_member *member, bool *value) {
    *value = slice_equals(member->value, "true");
    return *value || slice_equals(member->value, "false");
}

/* Writing ------------------------------------------------------------------ */

void ids_json_put_bytes(ids_json_out *out, idp_slice bytes) {
    idp_bytes *to = out->to;
    if (!bytes.len || out->failed)
        return;
    if (bytes.len > to->cap - to->len && !idp_bytes_reserve(to, bytes.len)) {
        out->failed = true;
        return;
    }
    memcpy(to->ptr + to->len, bytes.ptr, bytes.len);
    to->len += bytes.len;
}

void ids_json_put_number(ids_json_out *out, uint64_t number) {
    uint8_t text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    ids_json_put_bytes(out, (idp_slice){text + at, sizeof text - at});
}

void ids_json_put_field(ids_json_out *out, const char *name, uint64_t number) {
    ids_json_put(out, ",\"");
    ids_json_put(out, name);
    ids_json_put(out, "\":");
    ids_json_put_number(out, number);
}

static void put_json_escaped(ids_json_out *out, uint8_t c) {
    char text[8];
    if (c == '"' || c == '\\')
        snprintf(text, sizeof text, "\\%c", c);
    else if (c == '\n')
        snprintf(text, sizeof text, "\\n");
    else
        snprintf(text, sizeof text, "\\u%04x", c);
    ids_json_put(out, text);
}

/* A page that shows it must not be led to take it for HTML. */
static bool needs_escape(uint8_t c) {
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f || c == '<';
}

void ids_json_put_string(ids_json_out *out, idp_slice utf8) {
    size_t from = 0;
    ids_json_put(out, "\"");
    for (size_t at = 0; at < utf8.len; at++) {
        if (!needs_escape(utf8.ptr[at]))
            continue;
        ids_json_put_bytes(out, (idp_slice){utf8.ptr + from, at - from});
        put_json_escaped(out, utf8.ptr[at]);
        from = at + 1;
    }
    if (from < utf8.len)
        ids_json_put_bytes(out, (idp_slice){utf8.ptr + from, utf8.len - from});
    ids_json_put(out, "\"");
}

void ids_json_put_base64(ids_json_out *out, idp_slice bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    ids_json_put(out, "\"");
    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t here = bytes.len - at < 3 ? bytes.len - at : 3;
        uint32_t v = (uint32_t)bytes.ptr[at] << 16;
        v |= here > 1 ? (uint32_t)bytes.ptr[at + 1] << 8 : 0;
        v |= here > 2 ? bytes.ptr[at + 2] : 0;
        const uint8_t text[4] = {
            (uint8_t)digits[v >> 18], (uint8_t)digits[v >> 12 & 63],
            here > 1 ? (uint8_t)digits[v >> 6 & 63] : (uint8_t)'=',
            here > 2 ? (uint8_t)digits[v & 63] : (uint8_t)'='};
        ids_json_put_bytes(out, (idp_slice){text, 4});
    }
    ids_json_put(out, "\"");
}

void ids_json_put_word(ids_json_out *out, const char *name, const char *word) {
    ids_json_put(out, ",\"");
    ids_json_put(out, name);
    ids_json_put(out, "\":\"");
    ids_json_put(out, word);
    ids_json_put(out, "\"");
}
