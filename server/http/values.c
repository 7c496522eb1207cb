/* SPDX-License-Identifier: Apache-2.0 */
/* values.c -- see values.h. */
#include "server/http/values.h"

#include "server/http/chars.h"

#include <assert.h>

static uint8_t *begin_bytes(idp_slice text, idp_bytes *to) {
    assert(text.len <= to->cap - to->len);
    return to->ptr + to->len;
}

static bool end_bytes(idp_bytes *to, const uint8_t *from, const uint8_t *end,
                      idp_slice *bytes) {
    *bytes = (idp_slice){from, (size_t)(end - from)};
    to->len += bytes->len;
    return true;
}

bool ids_read_hex(idp_slice text, idp_bytes *to, idp_slice *bytes) {
    uint8_t *from = begin_bytes(text, to), *end = from;
    if (text.len % 2)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_of(text.ptr[i]), low = hex_of(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *end++ = (uint8_t)(high << 4 | low);
    }
    return end_bytes(to, from, end, bytes);
}

static int digit64_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool ids_read_base64(idp_slice text, idp_bytes *to, idp_slice *bytes) {
    uint8_t *from = begin_bytes(text, to), *end = from;
    size_t len = text.len;
    uint32_t bits = 0, held = 0;
    if (len % 4 == 0)
        for (int i = 0; i < 2 && len && text.ptr[len - 1] == '='; i++)
            len--;
    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int digit = digit64_of(text.ptr[i]);
        if (digit < 0)
            return false;
        held = held << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *end++ = (uint8_t)(held >> bits);
        }
    }
    /* What is left over says nothing, or two texts would be the same bytes. */
    return !(held & ((1u << bits) - 1)) && end_bytes(to, from, end, bytes);
}

bool ids_read_query_part(idp_slice text, idp_bytes *to, idp_slice *bytes) {
    uint8_t *from = begin_bytes(text, to), *end = from;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '+')
            return false;
        if (c == '%') {
            int high = text.len - i > 2 ? hex_of(text.ptr[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_of(text.ptr[i + 2]);
            if (low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        *end++ = c;
    }
    return end_bytes(to, from, end, bytes);
}

bool ids_read_digits(idp_slice text, uint64_t *number) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) || value > IDP_INT_MAX)
            return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *number = value;
    return text.len && value <= IDP_INT_MAX;
}

bool ids_read_duration(idp_slice text, uint64_t *ms) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    idp_slice number = text, unit;
    while (number.len && !is_digit(number.ptr[number.len - 1]))
        number.len--;
    unit = (idp_slice){text.ptr + number.len, text.len - number.len};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_equals(unit, units[i].unit))
            return ids_read_digits(number, ms) &&
                   *ms <= IDP_INT_MAX / units[i].ms &&
                   (*ms *= units[i].ms, true);
    return false;
}
