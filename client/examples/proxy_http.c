/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_http.c -- see proxy_http.h. What it is not sure of it refuses: a
 * proxy that reads a message otherwise than the server behind it is a hole. */
#include "client/examples/proxy_http.h"

#include <string.h>
#include <strings.h>

bool proxy_is(idem_slice slice, const char *word) {
    return slice.len == strlen(word) &&
           strncasecmp(slice.ptr, word, slice.len) == 0;
}

idem_slice proxy_header(const proxy_message *message, const char *name,
                        size_t *count) {
    idem_slice found = {NULL, 0};
    *count = 0;
    for (size_t i = 0; i < message->headers_count; i++) {
        if (!proxy_is(message->headers[i].name, name))
            continue;
        found = message->headers[i].value;
        ++*count;
    }
    return found;
}

/* What stands before `at` in [from, to), and *from behind it; false: no such
 * byte. */
static bool cut(const char **from, const char *to, char at, idem_slice *slice) {
    const char *hit = memchr(*from, at, (size_t)(to - *from));
    if (hit == NULL)
        return false;
    *slice = (idem_slice){*from, (size_t)(hit - *from)};
    *from = hit + 1;
    return true;
}

static bool is_token(idem_slice slice) {
    const char *bytes = slice.ptr;
    for (size_t i = 0; i < slice.len; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~' ||
            strchr("(),/:;<=>?@[\\]{}\"", bytes[i]) != NULL)
            return false;
    return slice.len > 0;
}

static idem_slice without_blanks(const char *from, const char *to) {
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (idem_slice){from, (size_t)(to - from)};
}

static bool read_header(const char *line, const char *end, proxy_message *to) {
    idem_http_header *header = &to->headers[to->headers_count];
    if (to->headers_count == PROXY_HEADERS_MAX ||
        !cut(&line, end, ':', &header->name) || !is_token(header->name))
        return false;
    header->value = without_blanks(line, end);
    for (const char *at = line; at < end; at++)
        if ((unsigned char)*at < ' ' && *at != '\t')
            return false;
    to->headers_count++;
    return true;
}

static bool read_length(proxy_message *to) {
    size_t count = 0;
    idem_slice value = proxy_header(to, "Content-Length", &count);
    const char *digits = value.ptr;
    size_t codings = 0;
    (void)proxy_header(to, "Transfer-Encoding", &codings);
    if (count > 1 || codings > 0 ||
        (count == 1 && (value.len == 0 || value.len > 9)))
        return false;
    to->has_length = count == 1;
    for (size_t i = 0; i < value.len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        to->body_bytes = to->body_bytes * 10 + (size_t)(digits[i] - '0');
    }
    return to->body_bytes <= PROXY_BODY_BYTES;
}

static bool read_lines(const char *at, const char *end, proxy_message *to) {
    idem_slice line;
    if (!cut(&at, end, '\r', &line) || *at++ != '\n')
        return false;
    const char *word = line.ptr;
    const char *line_end = word + line.len;
    if (!cut(&word, line_end, ' ', &to->first[0]) ||
        !cut(&word, line_end, ' ', &to->first[1]))
        return false;
    to->first[2] = (idem_slice){word, (size_t)(line_end - word)};
    while (at < end) {
        if (!cut(&at, end, '\r', &line) || *at++ != '\n')
            return false;
        const char *from = line.ptr;
        if (!read_header(from, from + line.len, to))
            return false;
    }
    return true;
}

proxy_read proxy_read_head(const char *bytes, size_t len, proxy_message *to) {
    const char *end = len > 0 ? memmem(bytes, len, "\r\n\r\n", 4) : NULL;
    *to = (proxy_message){0};
    if (end == NULL)
        return len < PROXY_HEAD_BYTES ? PROXY_PARTIAL : PROXY_BROKEN;
    to->head_bytes = (size_t)(end - bytes) + 4;
    if (to->head_bytes > PROXY_HEAD_BYTES || !read_lines(bytes, end + 2, to) ||
        !read_length(to))
        return PROXY_BROKEN;
    return PROXY_WHOLE;
}
