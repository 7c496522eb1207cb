/* SPDX-License-Identifier: Apache-2.0 */
/* notation.c -- see notation.h. Independent of the encoder under test. */
#include "tests/unit/proto/notation.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    uint8_t *at;
    uint8_t *end;
} writer;

static void die(const char *what) {
    fprintf(stderr, "notation: %s\n", what);
    abort();
}

static void byte(writer *w, unsigned v) {
    if (w->at == w->end) {
        die("no room");
    }
    *w->at++ = (uint8_t)v;
}

static void big_endian(writer *w, uint64_t v, int bytes) {
    while (bytes-- > 0) {
        byte(w, (unsigned)(v >> (8 * bytes)) & 0xff);
    }
}

static void integer(writer *w, uint64_t v) {
    if (v < 0x80) {
        byte(w, (unsigned)v);
        return;
    }
    int power = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= 0xffffffff ? 2 : 3;
    byte(w, 0xccu + (unsigned)power);
    big_endian(w, v, 1 << power);
}

static void header(writer *w, unsigned tag8, uint64_t len) {
    int power = len <= 0xff ? 0 : len <= 0xffff ? 1 : 2;
    byte(w, tag8 + (unsigned)power);
    big_endian(w, len, 1 << power);
}

static void str_header(writer *w, uint64_t len) {
    if (len < 32) {
        byte(w, 0xa0 | (unsigned)len);
    } else {
        header(w, 0xd9, len);
    }
}

static void container(writer *w, unsigned fix, unsigned tag16, uint64_t n) {
    if (n < 16) {
        byte(w, fix | (unsigned)n);
    } else {
        byte(w, tag16);
        big_endian(w, n, 2);
    }
}

static void filler(writer *w, uint64_t len) {
    while (len-- > 0) {
        byte(w, 'x');
    }
}

static void floating(writer *w, double v, int bytes) {
    float narrow = (float)v;
    uint64_t bits = 0;
    uint32_t bits32;
    memcpy(&bits, &v, sizeof v);
    memcpy(&bits32, &narrow, sizeof bits32);
    byte(w, bytes == 8 ? 0xcb : 0xca);
    big_endian(w, bytes == 8 ? bits : bits32, bytes);
}

static const char *quoted(writer *w, const char *text) {
    const char *end = strchr(text, '\'');
    if (!end) {
        die("no closing quote");
    }
    str_header(w, (uint64_t)(end - text));
    while (text < end) {
        byte(w, (uint8_t)*text++);
    }
    return end + 1;
}

static const char *raw(writer *w, const char *text) {
    while (isxdigit((uint8_t)text[0]) && isxdigit((uint8_t)text[1])) {
        char pair[3] = {text[0], text[1], '\0'};
        byte(w, (unsigned)strtoul(pair, NULL, 16));
        text += 2;
    }
    return text;
}

static const char *one(writer *w, const char *text) {
    char kind = *text++;
    if (kind == '\'') {
        return quoted(w, text);
    }
    if (kind == 'x') {
        return raw(w, text);
    }
    if (kind == '-') {
        byte(w, 0xc0);
        return text;
    }
    if (kind == 'T') {
        byte(w, 0xc4);
        byte(w, 16);
        for (unsigned i = 0; i < 16; i++) {
            byte(w, i + 1);
        }
        return text;
    }
    char *end;
    if (kind == 'f' || kind == 'g') {
        floating(w, strtod(text, &end), kind == 'f' ? 8 : 4);
        return end;
    }
    uint64_t v = strtoull(text, &end, 10);
    switch (kind) {
    case '[':
        container(w, 0x90, 0xdc, v);
        break;
    case '{':
        container(w, 0x80, 0xde, v);
        break;
    case 'i':
        integer(w, v);
        break;
    case 'S':
        str_header(w, v);
        filler(w, v);
        break;
    case 'B':
        header(w, 0xc4, v);
        filler(w, v);
        break;
    default:
        die(text - 1);
    }
    return end;
}

size_t notation(const char *text, uint8_t *to, size_t cap) {
    writer w = {to, to + cap};
    while (*text) {
        text = *text == ' ' ? text + 1 : one(&w, text);
    }
    return (size_t)(w.at - to);
}
