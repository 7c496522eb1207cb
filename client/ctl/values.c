/* SPDX-License-Identifier: Apache-2.0 */
/* values.c -- see the header. */
#include "client/ctl/values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *unit;
    uint64_t ms;
} units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

bool value_duration(const char *text, uint64_t *ms) {
    uint64_t count = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (at - text == 12) /* no unit overflows 12 digits */
            return false;
        count = count * 10 + (uint64_t)(*at - '0');
    }
    if (at == text)
        return false;
    *ms = 0;
    if (count == 0 && *at == '\0')
        return true;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(at, units[i].unit) == 0) {
            *ms = count * units[i].ms;
            return true;
        }
    }
    return false;
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool value_hex(const char *text, uint8_t *bytes, size_t bytes_max,
               size_t *len) {
    size_t count = 0;
    for (; *text != '\0'; text += 2) {
        int high = digit(text[0]);
        int low = high < 0 ? -1 : digit(text[1]);
        if (low < 0 || count == bytes_max)
            return false;
        bytes[count++] = (uint8_t)(high << 4 | low);
    }
    *len = count;
    return true;
}

/* Doubles the room, up to one byte more than may be: that byte tells. */
static bool grow_value(uint8_t **bytes, size_t *cap, size_t bytes_max) {
    size_t more = *cap == 0 ? 4096 : *cap * 2;
    if (more > bytes_max + 1)
        more = bytes_max + 1;
    uint8_t *moved = realloc(*bytes, more);
    if (moved == NULL)
        return false;
    *bytes = moved;
    *cap = more;
    return true;
}

static bool read_whole_file(FILE *file, size_t bytes_max, uint8_t **bytes,
                            size_t *len) {
    size_t cap = 0;
    *len = 0;
    do {
        if (*len == cap && !grow_value(bytes, &cap, bytes_max))
            return false;
        *len += fread(*bytes + *len, 1, cap - *len, file);
        if (*len > bytes_max) {
            errno = EFBIG;
            return false;
        }
    } while (!feof(file) && !ferror(file));
    return !ferror(file);
}

bool value_file(const char *path, size_t bytes_max, uint8_t **bytes,
                size_t *len) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (file == NULL)
        return false;
    *bytes = NULL;
    errno = 0;
    bool whole = read_whole_file(file, bytes_max, bytes, len);
    int why = errno;
    if (file != stdin)
        fclose(file);
    if (!whole) {
        free(*bytes);
        *bytes = NULL;
    }
    errno = why;
    return whole;
}
