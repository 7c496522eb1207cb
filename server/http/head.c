/* SPDX-License-Identifier: Apache-2.0 */
/* head.c -- the head of an HTTP/1.1 request; see head.h. */
#include "server/http/head.h"

#include "server/http/chars.h"

#define METHOD_BYTES_MAX 16
/* The longest request line there may be. */
#define LINE_BYTES_MAX \
    (METHOD_BYTES_MAX + IDS_HTTP_TARGET_BYTES_MAX + sizeof "  HTTP/1.1")
#define LENGTH_DIGITS_MAX 18

static bool refuse_head(ids_http_fault *fault, uint16_t status,
                        const char *text) {
    *fault = (ids_http_fault){status, text};
    return false;
}

bool ids_http_is(idp_slice slice, const char *word) {
    size_t at = 0;
    while (at < slice.len && word[at] &&
           lower_of(slice.ptr[at]) == (uint8_t)word[at])
        at++;
    return at == slice.len && !word[at];
}

/* The request line --------------------------------------------------------- */

static ids_http_method method_of(idp_slice word) {
    if (slice_equals(word, "GET"))
        return IDS_HTTP_GET;
    if (slice_equals(word, "HEAD"))
        return IDS_HTTP_HEAD;
    return slice_equals(word, "POST") ? IDS_HTTP_POST : IDS_HTTP_OTHER;
}

static bool is_method(idp_slice word) {
    for (size_t i = 0; i < word.len; i++)
        if (!is_token(word.ptr[i]))
            return false;
    return word.len && word.len <= METHOD_BYTES_MAX;
}

static bool read_version(idp_slice word, ids_http_head *head,
                         ids_http_fault *fault) {
    if (word.len != 8 || memcmp(word.ptr, "HTTP/", 5) != 0 ||
        !is_digit(word.ptr[5]) || word.ptr[6] != '.' || !is_digit(word.ptr[7]))
        return refuse_head(fault, 400,
                           "the request line does not end in HTTP/1.1");
    if (word.ptr[5] != '1' || word.ptr[7] > '1')
        return refuse_head(fault, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
    head->minor = (uint8_t)(word.ptr[7] - '0');
    return true;
}

/* A path of ours has nothing that somebody on the way might read in another
 * way: no escapes, no empty segment, no dots. */
static bool is_plain_path(idp_slice path) {
    if (!path.len || path.ptr[0] != '/' || memchr(path.ptr, '%', path.len))
        return false;
    idp_slice rest = {path.ptr + 1, path.len - 1}, part;
    while (slice_split(&rest, '/', &part))
        if ((!part.len && (rest.ptr || path.len > 1)) ||
            slice_equals(part, ".") || slice_equals(part, ".."))
            return false;
    return true;
}

/* http://HOST/... : HOST is what the field Host has to say. */
static bool read_authority(idp_slice *target, idp_slice *authority,
                           ids_http_fault *fault) {
    size_t scheme = 0;
    if (target->len > 7 && ids_http_is((idp_slice){target->ptr, 7}, "http://"))
        scheme = 7;
    if (target->len > 8 && ids_http_is((idp_slice){target->ptr, 8}, "https://"))
        scheme = 8;
    if (!scheme)
        return refuse_head(fault, 400,
                           "the target is neither a path nor a URL");
    const uint8_t *from = target->ptr + scheme;
    size_t len = target->len - scheme, at = 0;
    while (at < len && from[at] != '/' && from[at] != '?')
        at++;
    *authority = (idp_slice){from, at};
    *target = (idp_slice){from + at, len - at};
    if (!target->len || target->ptr[0] != '/')
        return refuse_head(fault, 400, "the target has no path");
    return true;
}

static bool read_target(idp_slice target, ids_http_head *head,
                        idp_slice *authority, ids_http_fault *fault) {
    if (target.len > IDS_HTTP_TARGET_BYTES_MAX)
        return refuse_head(fault, 414, "the target is over 2 KiB");
    for (size_t i = 0; i < target.len; i++)
        if (!is_uri(target.ptr[i]))
            return refuse_head(fault, 400,
                               "the target has a character that no URL "
                               "has");
    if (!target.len || (slice_equals(target, "*")))
        return refuse_head(fault, 400, "the target is no path");
    if (target.ptr[0] != '/' && !read_authority(&target, authority, fault))
        return false;
    idp_slice rest = target;
    slice_split(&rest, '?', &head->path);
    head->query = rest;
    return is_plain_path(head->path) ||
           refuse_head(
               fault, 400,
               "the path has an escape, an empty segment or dots; none of "
               "ours has");
}

static bool read_request_line(idp_slice line, ids_http_head *head,
                              idp_slice *authority, ids_http_fault *fault) {
    idp_slice rest = line, method, target, version;
    if (!slice_split(&rest, ' ', &method) ||
        !slice_split(&rest, ' ', &target) ||
        !slice_split(&rest, ' ', &version) || rest.ptr)
        return refuse_head(fault, 400,
                           "the first line is no request line of "
                           "HTTP/1.1");
    if (!is_method(method))
        return refuse_head(fault, 400, "the method is none");
    head->method = method_of(method);
    return read_version(version, head, fault) &&
           read_target(target, head, authority, fault);
}

/* Its end ------------------------------------------------------------------ */

/* As soon as the first line is there, and not all: who sends no more has had an
 * answer. seen: it was there when the last bytes came. */
static ids_http_read check_first_line(const uint8_t *bytes, size_t len,
                                      size_t seen, ids_http_fault *fault) {
    ids_http_head head;
    idp_slice authority;
    const uint8_t *end = memchr(bytes, '\n', len);
    if (!end || (size_t)(end - bytes) < seen)
        return IDS_HTTP_PARTIAL;
    return read_request_line((idp_slice){bytes, (size_t)(end - bytes) - 1},
                             &head, &authority, fault)
               ? IDS_HTTP_PARTIAL
               : IDS_HTTP_BAD;
}

static ids_http_read bad_head(ids_http_fault *fault, uint16_t status,
                              const char *text) {
    refuse_head(fault, status, text);
    return IDS_HTTP_BAD;
}

/* The line that ends at bytes[at], a LF. */
static ids_http_read end_line(const uint8_t *bytes, size_t at, size_t *seen,
                              ids_http_fault *fault) {
    if (at < 1 || bytes[at - 1] != '\r')
        return bad_head(fault, 400, "a line ends in a bare LF");
    *seen = at + 1;
    if (at < 2)
        return bad_head(fault, 400, "an empty line stands before the request");
    if (at >= 3 && bytes[at - 2] == '\n')
        return IDS_HTTP_WHOLE;
    return IDS_HTTP_PARTIAL;
}

ids_http_read ids_http_head_seek(const uint8_t *bytes, size_t len, size_t *seen,
                                 ids_http_fault *fault) {
    size_t end = len < IDS_HTTP_HEAD_BYTES_MAX ? len : IDS_HTTP_HEAD_BYTES_MAX;
    size_t first = *seen;
    for (size_t at = first; at < end; at++) {
        if (!at || bytes[at - 1] != '\r')
            at += values_at(bytes + at, end - at);
        if (at == end)
            break;
        if (bytes[at] == '\n') {
            ids_http_read read = end_line(bytes, at, seen, fault);
            if (read != IDS_HTTP_PARTIAL)
                return read;
        } else if (at && bytes[at - 1] == '\r') {
            return bad_head(fault, 400, "a CR stands alone");
        } else if (bytes[at] != '\r' && !is_value(bytes[at])) {
            return bad_head(fault, 400, "a control character is in the head");
        }
    }
    *seen = end;
    if (len >= IDS_HTTP_HEAD_BYTES_MAX)
        return bad_head(fault, 431, "the head is over 16 KiB");
    if (len > LINE_BYTES_MAX && !memchr(bytes, '\n', LINE_BYTES_MAX))
        return bad_head(fault, 414, "the request line is over its limit");
    return check_first_line(bytes, end, first, fault);
}

/* Fields ------------------------------------------------------------------- */

bool ids_http_field_read(idp_slice line, idp_slice *name, idp_slice *value) {
    size_t at = 0;
    while (at < line.len && is_token(line.ptr[at]))
        at++;
    if (!at || at == line.len || line.ptr[at] != ':')
        return false;
    *name = (idp_slice){line.ptr, at};
    *value = slice_trim((idp_slice){line.ptr + at + 1, line.len - at - 1});
    for (size_t i = values_at(value->ptr, value->len); i < value->len; i++)
        if (!is_value(value->ptr[i]))
            return false;
    return true;
}

static bool set_once(idp_slice *to, idp_slice value, ids_http_fault *fault,
                     const char *twice) {
    if (to->ptr)
        return refuse_head(fault, 400, twice);
    *to = value;
    return true;
}

static bool read_length(idp_slice value, ids_http_head *head,
                        ids_http_fault *fault) {
    uint64_t length = 0;
    if (head->has_length)
        return refuse_head(fault, 400, "Content-Length stands there twice");
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i]))
            return refuse_head(fault, 400, "Content-Length is no number");
        length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    if (!value.len || value.len > LENGTH_DIGITS_MAX)
        return refuse_head(fault, 400, "Content-Length is no number of bytes");
    head->length = length;
    head->has_length = true;
    return true;
}

static bool read_coding(idp_slice value, ids_http_head *head,
                        ids_http_fault *fault) {
    if (head->is_chunked)
        return refuse_head(fault, 400, "Transfer-Encoding stands there twice");
    if (!ids_http_is(value, "chunked"))
        return refuse_head(fault, 400, "a transfer coding other than chunked");
    head->is_chunked = true;
    return true;
}

static void read_connection(idp_slice value, bool *closes, bool *keeps) {
    idp_slice rest = value, part;
    while (slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        *closes |= ids_http_is(part, "close");
        *keeps |= ids_http_is(part, "keep-alive");
    }
}

typedef struct field_notes {
    bool closes, keeps, expects;
} field_notes;

static bool read_expect(idp_slice value, field_notes *notes,
                        ids_http_fault *fault) {
    notes->expects = true;
    return ids_http_is(value, "100-continue") ||
           refuse_head(fault, 417, "nothing but 100-continue can be expected");
}

/* What stands there twice counts as its worst. */
static void note_site(idp_slice value, ids_http_head *head) {
    ids_http_site site =
        ids_http_is(value, "same-origin")  ? IDS_HTTP_SITE_SAME_ORIGIN
        : ids_http_is(value, "cross-site") ? IDS_HTTP_SITE_CROSS
                                           : IDS_HTTP_SITE_OTHER;
    if (head->site != IDS_HTTP_SITE_UNSAID && head->site != site)
        site = IDS_HTTP_SITE_CROSS;
    head->site = site;
}

static bool take_field(idp_slice name, idp_slice value, ids_http_head *head,
                       field_notes *notes, ids_http_fault *fault) {
    if (ids_http_is(name, "host"))
        return set_once(&head->host, value, fault, "Host stands there twice");
    if (ids_http_is(name, "content-length"))
        return read_length(value, head, fault);
    if (ids_http_is(name, "transfer-encoding"))
        return read_coding(value, head, fault);
    if (ids_http_is(name, "content-type"))
        return set_once(&head->content_type, value, fault,
                        "Content-Type stands there twice");
    if (ids_http_is(name, "authorization"))
        return set_once(&head->authorization, value, fault,
                        "Authorization stands there twice");
    if (ids_http_is(name, "expect"))
        return read_expect(value, notes, fault);
    if (ids_http_is(name, "connection"))
        read_connection(value, &notes->closes, &notes->keeps);
    else if (ids_http_is(name, "accept"))
        head->accept = value;
    else if (ids_http_is(name, "x-forwarded-for"))
        head->forwarded_for = value;
    else if (ids_http_is(name, "forwarded") || ids_http_is(name, "via"))
        head->is_forwarded = true;
    else if (ids_http_is(name, "content-encoding"))
        head->is_encoded |= !ids_http_is(value, "identity");
    else if (ids_http_is(name, "idempotency-key"))
        head->has_idempotency_key = true;
    else if (ids_http_is(name, "origin"))
        return set_once(&head->origin, value, fault,
                        "Origin stands there twice");
    else if (ids_http_is(name, "sec-fetch-site"))
        note_site(value, head);
    return true;
}

/* The next line of bytes without its CR LF, taken off. */
static idp_slice next_line(idp_slice *bytes) {
    idp_slice line = {0};
    slice_split(bytes, '\n', &line);
    line.len -= line.len > 0;
    return line;
}

static bool read_fields(idp_slice bytes, ids_http_head *head,
                        field_notes *notes, ids_http_fault *fault) {
    idp_slice line, name, value;
    while ((line = next_line(&bytes)).len) {
        if (++head->fields > IDS_HTTP_FIELDS_MAX)
            return refuse_head(fault, 431, "more than 64 fields");
        if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
            return refuse_head(fault, 400, "a field goes on in the next line");
        if (!ids_http_field_read(line, &name, &value))
            return refuse_head(fault, 400, "a field is no NAME: VALUE");
        if (!take_field(name, value, head, notes, fault))
            return false;
    }
    return true;
}

/* What belongs together ---------------------------------------------------- */

static bool is_head_host(idp_slice host) {
    if (!host.len)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        if (!is_digit(c) && !is_alpha(c) && !(c && strchr("-._:[]~", c)))
            return false;
    }
    return true;
}

static bool same_host(idp_slice a, idp_slice b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower_of(a.ptr[i]) != lower_of(b.ptr[i]))
            return false;
    return true;
}

static bool agree_hosts(const ids_http_head *head, idp_slice authority,
                        ids_http_fault *fault) {
    if (!head->host.ptr)
        return !head->minor || refuse_head(fault, 400, "there is no Host");
    if (!is_head_host(head->host))
        return refuse_head(fault, 400, "Host is no name or address");
    if (authority.ptr && !same_host(authority, head->host))
        return refuse_head(fault, 400, "Host and target name two servers");
    return true;
}

static bool agree_body(const ids_http_head *head, ids_http_fault *fault) {
    if (head->is_chunked && head->has_length)
        return refuse_head(
            fault, 400, "both Content-Length and Transfer-Encoding are there");
    if (head->is_chunked && !head->minor)
        return refuse_head(fault, 400, "HTTP/1.0 has no Transfer-Encoding");
    return true;
}

bool ids_http_head_read(const uint8_t *bytes, size_t len, ids_http_head *head,
                        ids_http_fault *fault) {
    idp_slice rest = {bytes, len}, authority = {0};
    field_notes notes = {0};
    *head = (ids_http_head){.method = IDS_HTTP_OTHER};
    idp_slice first = next_line(&rest);
    if (!read_request_line(first, head, &authority, fault) ||
        !read_fields(rest, head, &notes, fault) ||
        !agree_hosts(head, authority, fault) || !agree_body(head, fault))
        return false;
    head->keeps_alive = !notes.closes && (head->minor || notes.keeps);
    head->expects_continue = head->minor && notes.expects;
    return true;
}

bool ids_http_accepts(const ids_http_head *head, const char *type) {
    idp_slice rest = head->accept, one, name;
    while (slice_split(&rest, ',', &one))
        if (slice_split(&one, ';', &name) &&
            ids_http_is(slice_trim(name), type))
            return true;
    return false;
}
