/* SPDX-License-Identifier: Apache-2.0 */
/* resp.c -- see resp.h. Bytes in, slices out; nothing is copied. */
#include "bench/resp.h"

/* The line's length without its end, or SIZE_MAX while there is no end. */
static size_t line_len(const uint8_t *bytes, size_t len) {
    const uint8_t *end = memchr(bytes, '\n', len);
    if (!end || end == bytes)
        return SIZE_MAX;
    return (size_t)(end - bytes) - 1;
}

static idb_read_status bulk_read(const uint8_t *bytes, size_t len, size_t line,
                                 idb_resp *resp) {
    if (bytes[1] == '-') {
        resp->nil = true;
        resp->bytes = (uint32_t)(line + 2);
        return IDB_WHOLE;
    }
    size_t n = 0;
    for (size_t i = 1; i < line; i++) {
        if (bytes[i] < '0' || bytes[i] > '9' || n > IDB_RESULT_BYTES_MAX * 2)
            return IDB_BROKEN;
        n = n * 10 + (size_t)(bytes[i] - '0');
    }
    if (line + 2 + n + 2 > len)
        return IDB_PARTIAL;
    resp->ptr = bytes + line + 2;
    resp->len = n;
    resp->bytes = (uint32_t)(line + 2 + n + 2);
    return IDB_WHOLE;
}

idb_read_status idb_resp_read(const uint8_t *bytes, size_t len,
                              idb_resp *resp) {
    if (len < 4)
        return IDB_PARTIAL;
    resp->type = (char)bytes[0];
    resp->nil = false;
    /* The reply that most commands have. */
    if (len >= 5 && memcmp(bytes, "+OK\r\n", 5) == 0) {
        resp->ptr = bytes + 1;
        resp->len = 2;
        resp->bytes = 5;
        return IDB_WHOLE;
    }
    size_t line = line_len(bytes, len);
    if (line == SIZE_MAX)
        return len > 4096 ? IDB_BROKEN : IDB_PARTIAL;
    switch (resp->type) {
    case '$':
        return bulk_read(bytes, len, line, resp);
    case '+':
    case '-':
    case ':':
        resp->ptr = bytes + 1;
        resp->len = line - 1;
        resp->bytes = (uint32_t)(line + 2);
        return IDB_WHOLE;
    default:
        return IDB_BROKEN;
    }
}
