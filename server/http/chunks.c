/* SPDX-License-Identifier: Apache-2.0 */
/* chunks.c -- a chunked body; see chunks.h. */
#include "server/http/chunks.h"

#include "server/http/chars.h"

#define SIZE_DIGITS_MAX 15
#define LINE_BYTES_MAX  (SIZE_DIGITS_MAX + IDS_HTTP_EXTENSION_BYTES_MAX + 2)

static ids_http_read bad_chunk(ids_http_fault *fault, const char *text) {
    *fault = (ids_http_fault){400, text};
    return IDS_HTTP_BAD;
}

/* The line at the head, without its CR LF. */
static ids_http_read take_chunk_line(const uint8_t *bytes, size_t len,
                                     size_t max, idp_slice *line,
                                     ids_http_fault *fault) {
    for (size_t at = 0; at < len && at < max; at++) {
        uint8_t c = bytes[at];
        if (c == '\n' && at && bytes[at - 1] == '\r') {
            *line = (idp_slice){bytes, at - 1};
            return IDS_HTTP_WHOLE;
        }
        if ((at && bytes[at - 1] == '\r') || (c != '\r' && !is_value(c)))
            return bad_chunk(fault,
                             "a line between chunks has a control character, "
                             "or no CR LF");
    }
    return len < max
               ? IDS_HTTP_PARTIAL
               : bad_chunk(fault, "a line between chunks is over its limit");
}

/* SIZE or SIZE;EXTENSION */
static ids_http_read read_size(ids_http_chunks *chunks, idp_slice line,
                               ids_http_fault *fault) {
    size_t at = 0;
    uint64_t size = 0;
    for (; at < line.len && hex_of(line.ptr[at]) >= 0; at++)
        size = size << 4 | (uint64_t)hex_of(line.ptr[at]);
    if (!at || at > SIZE_DIGITS_MAX)
        return bad_chunk(fault, "a chunk's size is no hexadecimal number");
    if (at < line.len && line.ptr[at] != ';')
        return bad_chunk(fault, "behind a chunk's size stands no extension");
    if (line.len - at > IDS_HTTP_EXTENSION_BYTES_MAX)
        return bad_chunk(fault, "a chunk's extension is over 256 bytes");
    chunks->left = size;
    chunks->at = size ? IDS_HTTP_AT_DATA : IDS_HTTP_AT_TRAILER;
    return IDS_HTTP_WHOLE;
}

static ids_http_read next_size(ids_http_chunks *chunks, const uint8_t *bytes,
                               size_t len, size_t *used,
                               ids_http_fault *fault) {
    idp_slice line;
    ids_http_read read =
        take_chunk_line(bytes, len, LINE_BYTES_MAX, &line, fault);
    if (read != IDS_HTTP_WHOLE)
        return read;
    *used = line.len + 2;
    return read_size(chunks, line, fault);
}

/* What belongs to the head alone: who merges a trailer into it would read
 * another request. */
static bool is_of_the_head(idp_slice name) {
    static const char *const names[] = {"content-length",
                                        "transfer-encoding",
                                        "content-encoding",
                                        "content-type",
                                        "host",
                                        "authorization",
                                        "connection",
                                        "upgrade",
                                        "expect"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ids_http_is(name, names[i]))
            return true;
    return false;
}

static ids_http_read next_trailer(ids_http_chunks *chunks, const uint8_t *bytes,
                                  size_t len, size_t *used,
                                  ids_http_fault *fault) {
    idp_slice line, name, value;
    size_t max = IDS_HTTP_TRAILER_BYTES_MAX - chunks->trailer;
    ids_http_read read = take_chunk_line(bytes, len, max, &line, fault);
    if (read != IDS_HTTP_WHOLE)
        return read;
    if (line.len && !ids_http_field_read(line, &name, &value))
        return bad_chunk(fault,
                         "the trailer has a line that is no NAME: VALUE");
    if (line.len && is_of_the_head(name))
        return bad_chunk(fault, "the trailer has a field of the head's");
    *used = line.len + 2;
    chunks->trailer += (uint32_t)*used;
    if (!line.len)
        chunks->at = IDS_HTTP_AT_END;
    return IDS_HTTP_WHOLE;
}

static ids_http_read next_end(ids_http_chunks *chunks, const uint8_t *bytes,
                              size_t len, size_t *used, ids_http_fault *fault) {
    if ((len > 0 && bytes[0] != '\r') || (len > 1 && bytes[1] != '\n'))
        return bad_chunk(fault, "a chunk is longer than its size");
    if (len < 2)
        return IDS_HTTP_PARTIAL;
    *used = 2;
    chunks->at = IDS_HTTP_AT_SIZE;
    return IDS_HTTP_WHOLE;
}

static ids_http_read next_data(ids_http_chunks *chunks, const uint8_t *bytes,
                               size_t len, size_t *used, idp_slice *data) {
    size_t here = len < chunks->left ? len : (size_t)chunks->left;
    if (!here)
        return IDS_HTTP_PARTIAL;
    *data = (idp_slice){bytes, here};
    *used = here;
    chunks->left -= here;
    if (!chunks->left)
        chunks->at = IDS_HTTP_AT_DATA_END;
    return IDS_HTTP_WHOLE;
}

static ids_http_read next_part(ids_http_chunks *chunks, const uint8_t *bytes,
                               size_t len, size_t *used, idp_slice *data,
                               ids_http_fault *fault) {
    switch (chunks->at) {
    case IDS_HTTP_AT_SIZE:
        return next_size(chunks, bytes, len, used, fault);
    case IDS_HTTP_AT_DATA:
        return next_data(chunks, bytes, len, used, data);
    case IDS_HTTP_AT_DATA_END:
        return next_end(chunks, bytes, len, used, fault);
    case IDS_HTTP_AT_TRAILER:
        return next_trailer(chunks, bytes, len, used, fault);
    case IDS_HTTP_AT_END:
        break;
    }
    return IDS_HTTP_WHOLE;
}

ids_http_read ids_http_chunks_next(ids_http_chunks *chunks,
                                   const uint8_t *bytes, size_t len,
                                   size_t *used, idp_slice *data,
                                   ids_http_fault *fault) {
    *used = 0;
    *data = (idp_slice){0};
    while (chunks->at != IDS_HTTP_AT_END && !data->len) {
        size_t here = 0;
        ids_http_read read =
            next_part(chunks, bytes + *used, len - *used, &here, data, fault);
        if (read != IDS_HTTP_WHOLE)
            return read;
        *used += here;
    }
    return chunks->at == IDS_HTTP_AT_END ? IDS_HTTP_WHOLE : IDS_HTTP_PARTIAL;
}
