/* SPDX-License-Identifier: Apache-2.0 */
/* http_answer.c -- an HTTP answer as the bytes of a result, and back. Pure.
 *
 * Writing knows what fits before it writes. Reading walks over the bytes once
 * and believes nothing that they announce. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "client/src/http_chars.h"
#include "client/src/sized.h"
#include "proto/cursor.h"
#include "proto/put.h"

#define VERSION        1
#define STATUS_MIN     200
#define STATUS_MAX     599
#define LEAST_BYTES    7 /* [1, 599, [], nil] */
#define HEADER_COUNT_3 3 /* an array of up to 64 takes so many at most */

/* ------------------------------------------------------------- one header */

static bool is_token_char(uint8_t c) {
    bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z');
    return is_alnum || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_upper(uint8_t c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_name(idp_slice name) {
    if (name.ptr == NULL || name.len == 0 ||
        name.len > IDEM_HTTP_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_token_char(name.ptr[i]))
            return false;
    return true;
}

static bool is_lower(idp_slice name) {
    for (size_t i = 0; i < name.len; i++)
        if (is_upper(name.ptr[i]))
            return false;
    return true;
}

/* A line feed in it would begin a header of somebody else's choice. */
static bool is_value(idp_slice value) {
    if (value.len > IDEM_HTTP_VALUE_BYTES_MAX ||
        (value.ptr == NULL && value.len > 0))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_ascii(idp_slice value) {
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] > 0x7f)
            return false;
    return true;
}

static idp_slice own_slice(idem_slice from) {
    return (idp_slice){from.ptr, from.len};
}

static idp_slice trimmed(idem_slice from) {
    idp_slice value = own_slice(from);
    if (value.ptr == NULL)
        return value;
    while (value.len > 0 && is_http_blank((char)value.ptr[value.len - 1]))
        value.len--;
    while (value.len > 0 && is_http_blank((char)value.ptr[0])) {
        value.ptr++;
        value.len--;
    }
    return value;
}

/* --------------------------------------------------------------- writing */

static const char *const kept_always[] = {
    "content-type", "content-language", "content-encoding", "location",
    "etag",         "retry-after"};

static bool is_same_name(idp_slice name, const void *other, size_t other_len) {
    return name.len == other_len &&
           strncasecmp((const char *)name.ptr, other, other_len) == 0;
}

static bool is_kept(const idem_http_answer *answer, idp_slice name) {
    for (size_t i = 0; i < sizeof kept_always / sizeof *kept_always; i++)
        if (is_same_name(name, kept_always[i], strlen(kept_always[i])))
            return true;
    for (size_t i = 0; i < answer->keep_count; i++)
        if (answer->keep[i].ptr != NULL &&
            is_same_name(name, answer->keep[i].ptr, answer->keep[i].len))
            return true;
    return false;
}

/* The headers that are stored, one after the other. */
typedef struct pick {
    const idem_http_answer *answer;
    size_t at;    /* the next one of the handler's */
    size_t count; /* that were taken */
    idp_slice name;
    idp_slice value;
} pick;

static bool pick_next(pick *p) {
    while (p->at < p->answer->headers_count &&
           p->count < IDEM_HTTP_HEADERS_MAX) {
        const idem_http_header *header = &p->answer->headers[p->at++];
        p->name = own_slice(header->name);
        p->value = trimmed(header->value);
        if (is_name(p->name) && is_value(p->value) &&
            is_kept(p->answer, p->name)) {
            p->count++;
            return true;
        }
    }
    return false;
}

static size_t text_header_bytes(size_t len) {
    return len < 32 ? 1 : len <= UINT8_MAX ? 2 : 3;
}

/* Of a bin. */
static size_t bytes_header_bytes(size_t len) {
    return len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
}

static size_t value_bytes(idp_slice value) {
    size_t header = is_ascii(value) ? text_header_bytes(value.len)
                                    : bytes_header_bytes(value.len);
    return header + value.len;
}

/* What is written, and how long that is. */
typedef struct plan {
    bool has_headers;
    bool has_body;
    size_t headers_count;
    size_t bytes;
} plan;

/* Without the body. */
static plan plan_head(const idem_http_answer *answer, bool has_headers) {
    plan of = {.has_headers = has_headers};
    pick p = {.answer = answer};
    size_t status_bytes = answer->status <= UINT8_MAX ? 2 : 3;
    of.bytes = 1 + 1 + status_bytes;
    while (has_headers && pick_next(&p))
        of.bytes += 1 + text_header_bytes(p.name.len) + p.name.len +
                    value_bytes(p.value);
    of.headers_count = p.count;
    of.bytes += p.count < 16 ? 1 : HEADER_COUNT_3;
    return of;
}

static plan plan_answer(const idem_http_answer *answer) {
    size_t max = answer->result_bytes_max != 0 ? answer->result_bytes_max
                                               : IDEM_HTTP_RESULT_BYTES_MAX;
    plan of = plan_head(answer, true);
    if (of.bytes + 1 > max)
        of = plan_head(answer, false);
    size_t body_bytes = bytes_header_bytes(answer->body_len);
    of.has_body = answer->body != NULL && answer->body_len <= UINT32_MAX &&
                  of.has_headers && of.bytes + body_bytes <= max &&
                  answer->body_len <= max - of.bytes - body_bytes;
    of.bytes += of.has_body ? body_bytes + answer->body_len : 1;
    return of;
}

static uint8_t *put_name(uint8_t *to, idp_slice name) {
    to = put_str(to, name.ptr, name.len);
    for (uint8_t *c = to - name.len; c < to; c++)
        if (is_upper(*c))
            *c = (uint8_t)(*c + ('a' - 'A'));
    return to;
}

static uint8_t *put_headers(uint8_t *to, const idem_http_answer *answer,
                            const plan *of) {
    pick p = {.answer = answer};
    to = of->headers_count < 16
             ? put_array(to, (unsigned)of->headers_count)
             : put_be16(put_u8(to, 0xdc), (uint16_t)of->headers_count);
    while (of->has_headers && pick_next(&p)) {
        to = put_name(put_array(to, 2), p.name);
        to = is_ascii(p.value) ? put_str(to, p.value.ptr, p.value.len)
                               : put_bin(to, p.value);
    }
    return to;
}

static void put_answer(uint8_t *to, const idem_http_answer *answer,
                       const plan *of) {
    const uint8_t *begin = to;
    to = put_uint(put_u8(put_array(to, 4), VERSION), (uint64_t)answer->status);
    to = put_headers(to, answer, of);
    to = of->has_body ? put_bin(to, (idp_slice){answer->body, answer->body_len})
                      : put_nil(to);
    assert((size_t)(to - begin) == of->bytes);
}

int32_t idem_http_pack(const idem_http_answer *answer, uint8_t *to,
                       size_t to_cap, size_t *len) {
    idem_http_answer own;
    *len = 0;
    int32_t code =
        idem__sized_in(&idem__http_answer_layout, &own, answer, "answer", NULL);
    if (code != 0)
        return code;
    if (own.status < STATUS_MIN || own.status > STATUS_MAX ||
        (own.headers == NULL && own.headers_count > 0) ||
        (own.keep == NULL && own.keep_count > 0))
        return IDEM_E_ARGUMENT;
    plan of = plan_answer(&own);
    *len = of.bytes;
    if (to == NULL && to_cap == 0)
        return 0;
    if (to == NULL || to_cap < of.bytes)
        return IDEM_E_SPACE;
    put_answer(to, &own, &of);
    return 0;
}

/* --------------------------------------------------------------- reading */

static bool read_header(cursor *c, idem_http_header *header) {
    uint32_t count;
    idp_slice name, value;
    if (!cursor_array(c, &count) || count != 2 || !cursor_bytes(c, &name) ||
        !cursor_bytes(c, &value) || !is_name(name) || !is_lower(name) ||
        !is_value(value))
        return false;
    *header = (idem_http_header){{name.ptr, name.len}, {value.ptr, value.len}};
    return true;
}

/* Those beyond headers_cap are read as well: whether it is an answer at all
 * comes before whether there is room for it. */
static bool read_headers(cursor *c, idem_http_header *headers,
                         size_t headers_cap, size_t *count) {
    uint32_t announced;
    if (!cursor_array(c, &announced) || announced > IDEM_HTTP_HEADERS_MAX)
        return false;
    for (uint32_t i = 0; i < announced; i++) {
        idem_http_header spare;
        if (!read_header(c, i < headers_cap ? &headers[i] : &spare))
            return false;
    }
    *count = announced;
    return true;
}

static bool read_body(cursor *c, idem_http_answer *answer) {
    idp_slice body;
    if (cursor_nil(c))
        return true;
    if (!cursor_bytes(c, &body))
        return false;
    answer->body = body.ptr;
    answer->body_len = body.len;
    return true;
}

/* A number that is written as one: 1.0 is none here. */
static bool read_whole(cursor *c, uint32_t *value) {
    bool is_float = cursor_left(c) > 0 && (*c->at == 0xca || *c->at == 0xcb);
    return !is_float && cursor_u32(c, value);
}

static bool read_answer(cursor *c, idem_http_header *headers,
                        size_t headers_cap, idem_http_answer *answer) {
    uint32_t count, version, status;
    if (!cursor_array(c, &count) || count != 4 || !read_whole(c, &version) ||
        version != VERSION || !read_whole(c, &status) || status < STATUS_MIN ||
        status > STATUS_MAX)
        return false;
    answer->status = (int32_t)status;
    return read_headers(c, headers, headers_cap, &answer->headers_count) &&
           read_body(c, answer) && cursor_left(c) == 0;
}

int32_t idem_http_unpack(const void *result, size_t result_len,
                         idem_http_header *headers, size_t headers_cap,
                         idem_http_answer *answer) {
    if (idem__sized_check(&idem__http_answer_layout, answer, "answer", NULL) !=
        0)
        return IDEM_E_ARGUMENT;
    static const idem_http_answer none = {.status = 500};
    idem_http_answer own = {.headers = headers};
    cursor c = cursor_over((idp_slice){result, result_len});
    size_t room = headers == NULL ? 0 : headers_cap;
    int32_t code = read_answer(&c, headers, room, &own) ? 0 : IDEM_E_NOT_HTTP;
    if (code == 0 && own.headers_count > room)
        code = IDEM_E_SPACE;
    idem__sized_out(&idem__http_answer_layout, answer,
                    code == 0 ? &own : &none);
    return code;
}

static_assert(STATUS_MAX > UINT8_MAX && LEAST_BYTES == 4 + 1 + 1 + 1,
              "what is left when nothing else fits");
