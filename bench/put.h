/* SPDX-License-Identifier: Apache-2.0 */
/* put.h -- appending bytes and decimal numbers to a request, quickly.
 *
 * The caller has made sure of the room. */
#ifndef IDB_PUT_H
#define IDB_PUT_H

#include <stdint.h>
#include <string.h>

static inline uint8_t *idb_put(uint8_t *to, const void *from, size_t len) {
    memcpy(to, from, len);
    return to + len;
}

#define IDB_PUT_TEXT(to, text) idb_put((to), "" text, sizeof(text) - 1)

static inline uint8_t *idb_put_number(uint8_t *to, uint64_t n) {
    uint8_t digits[20];
    unsigned at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n);
    return idb_put(to, digits + at, sizeof digits - at);
}

/* A RESP bulk string's header: "$len\r\n". */
static inline uint8_t *idb_put_bulk_head(uint8_t *to, uint64_t len) {
    *to++ = '$';
    to = idb_put_number(to, len);
    return IDB_PUT_TEXT(to, "\r\n");
}

/* A number as a RESP bulk string. */
static inline uint8_t *idb_put_bulk_number(uint8_t *to, uint64_t n) {
    uint8_t digits[20];
    size_t len = (size_t)(idb_put_number(digits, n) - digits);
    to = idb_put_bulk_head(to, len);
    to = idb_put(to, digits, len);
    return IDB_PUT_TEXT(to, "\r\n");
}

#endif
