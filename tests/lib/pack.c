/* SPDX-License-Identifier: Apache-2.0 */
/* pack.c -- see pack.h. Only what our wire uses; an extension type is read
 * as "other". */
#include "tests/lib/pack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void idt_buf_add(idt_buf *buf, const void *bytes, size_t len) {
    if (buf->len + len > buf->cap) {
        buf->cap = (buf->len + len) * 2 + 64;
        buf->at = realloc(buf->at, buf->cap);
        assert(buf->at);
    }
    if (len > 0) {
        memcpy(buf->at + buf->len, bytes, len);
    }
    buf->len += len;
}

void idt_buf_add_byte(idt_buf *buf, uint8_t byte) {
    idt_buf_add(buf, &byte, 1);
}

void idt_buf_drop(idt_buf *buf, size_t len) {
    buf->len -= len;
    memmove(buf->at, buf->at + len, buf->len);
}

void idt_buf_free(idt_buf *buf) {
    free(buf->at);
    *buf = (idt_buf){0};
}

/* --- writing ----------------------------------------------------------- */

static void add_head(idt_buf *buf, uint8_t head, uint64_t value, int bytes) {
    idt_buf_add_byte(buf, head);
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        idt_buf_add_byte(buf, (uint8_t)(value >> shift));
    }
}

void idt_pack_nil(idt_buf *buf) {
    idt_buf_add_byte(buf, 0xc0);
}

void idt_pack_bool(idt_buf *buf, bool value) {
    idt_buf_add_byte(buf, value ? 0xc3 : 0xc2);
}

void idt_pack_uint64(idt_buf *buf, uint64_t value) {
    add_head(buf, 0xcf, value, 8);
}

void idt_pack_uint(idt_buf *buf, uint64_t value) {
    if (value < 128) {
        idt_buf_add_byte(buf, (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        add_head(buf, 0xcc, value, 1);
    } else if (value <= UINT16_MAX) {
        add_head(buf, 0xcd, value, 2);
    } else if (value <= UINT32_MAX) {
        add_head(buf, 0xce, value, 4);
    } else {
        idt_pack_uint64(buf, value);
    }
}

void idt_pack_int(idt_buf *buf, int64_t value) {
    if (value >= 0) {
        idt_pack_uint(buf, (uint64_t)value);
    } else if (value >= -32) {
        idt_buf_add_byte(buf, (uint8_t)value);
    } else {
        add_head(buf, 0xd3, (uint64_t)value, 8);
    }
}

void idt_pack_double(idt_buf *buf, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_head(buf, 0xcb, bits, 8);
}

void idt_pack_str(idt_buf *buf, const void *bytes, size_t len) {
    if (len < 32) {
        idt_buf_add_byte(buf, (uint8_t)(0xa0 | len));
    } else if (len <= UINT8_MAX) {
        add_head(buf, 0xd9, len, 1);
    } else if (len <= UINT16_MAX) {
        add_head(buf, 0xda, len, 2);
    } else {
        add_head(buf, 0xdb, len, 4);
    }
    idt_buf_add(buf, bytes, len);
}

void idt_pack_bin(idt_buf *buf, const void *bytes, size_t len) {
    if (len <= UINT8_MAX) {
        add_head(buf, 0xc4, len, 1);
    } else if (len <= UINT16_MAX) {
        add_head(buf, 0xc5, len, 2);
    } else {
        add_head(buf, 0xc6, len, 4);
    }
    idt_buf_add(buf, bytes, len);
}

void idt_pack_array(idt_buf *buf, uint32_t count) {
    if (count < 16) {
        idt_buf_add_byte(buf, (uint8_t)(0x90 | count));
    } else if (count <= UINT16_MAX) {
        add_head(buf, 0xdc, count, 2);
    } else {
        add_head(buf, 0xdd, count, 4);
    }
}

void idt_pack_map(idt_buf *buf, uint32_t count) {
    if (count < 16) {
        idt_buf_add_byte(buf, (uint8_t)(0x80 | count));
    } else if (count <= UINT16_MAX) {
        add_head(buf, 0xde, count, 2);
    } else {
        add_head(buf, 0xdf, count, 4);
    }
}

/* --- reading ----------------------------------------------------------- */

static bool take_number(idt_cursor *c, int bytes, uint64_t *value) {
    if (c->end - c->at < bytes) {
        return false;
    }
    *value = 0;
    for (int i = 0; i < bytes; i++) {
        *value = *value << 8 | *c->at++;
    }
    return true;
}

static bool take_bytes(idt_cursor *c, idt_item *item, idt_kind kind,
                       uint64_t len) {
    if ((uint64_t)(c->end - c->at) < len) {
        return false;
    }
    item->kind = kind;
    item->bytes = c->at;
    item->len = (size_t)len;
    c->at += len;
    return true;
}

static bool take_sized(idt_cursor *c, idt_item *item, idt_kind kind,
                       int bytes) {
    uint64_t len;
    return take_number(c, bytes, &len) && take_bytes(c, item, kind, len);
}

static bool take_count(idt_cursor *c, idt_item *item, idt_kind kind,
                       int bytes) {
    item->kind = kind;
    return take_number(c, bytes, &item->count);
}

static bool take_signed(idt_cursor *c, idt_item *item, int bytes) {
    if (!take_number(c, bytes, &item->number)) {
        return false;
    }
    uint64_t sign = 1ull << (bytes * 8 - 1);
    item->kind = item->number & sign ? IDT_INT : IDT_UINT;
    item->number = (item->number ^ sign) - sign;
    return true;
}

static bool take_fixed(idt_cursor *c, idt_item *item, uint8_t head) {
    if (head < 0x80 || head >= 0xe0) {
        item->kind = head < 0x80 ? IDT_UINT : IDT_INT;
        item->number = (uint64_t)(int64_t)(int8_t)head;
        return true;
    }
    if (head < 0x90) {
        item->kind = IDT_MAP;
        item->count = head & 0x0f;
        return true;
    }
    if (head < 0xa0) {
        item->kind = IDT_ARRAY;
        item->count = head & 0x0f;
        return true;
    }
    return take_bytes(c, item, IDT_STR, head & 0x1f);
}

bool idt_unpack(idt_cursor *c, idt_item *item) {
    *item = (idt_item){.kind = IDT_OTHER};
    if (c->at >= c->end) {
        return false;
    }
    uint8_t head = *c->at++;
    if (head < 0xc0 || head >= 0xe0) {
        return take_fixed(c, item, head);
    }
    item->kind = head == 0xc0 ? IDT_NIL : IDT_OTHER;
    switch (head) {
    case 0xc2:
    case 0xc3:
        item->kind = IDT_BOOL;
        item->number = head == 0xc3;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_sized(c, item, IDT_BIN, 1 << (head - 0xc4));
    case 0xca:
    case 0xcb:
        item->kind = IDT_DOUBLE;
        return take_number(c, head == 0xca ? 4 : 8, &item->number);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        item->kind = IDT_UINT;
        return take_number(c, 1 << (head - 0xcc), &item->number);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_signed(c, item, 1 << (head - 0xd0));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_sized(c, item, IDT_STR, 1 << (head - 0xd9));
    case 0xdc:
    case 0xdd:
        return take_count(c, item, IDT_ARRAY, head == 0xdc ? 2 : 4);
    case 0xde:
    case 0xdf:
        return take_count(c, item, IDT_MAP, head == 0xde ? 2 : 4);
    default:
        return true;
    }
}

bool idt_skip(idt_cursor *c) {
    uint64_t left = 1;
    while (left > 0) {
        idt_item item;
        if (!idt_unpack(c, &item)) {
            return false;
        }
        left += item.kind == IDT_MAP ? item.count * 2 : item.count;
        left--;
    }
    return true;
}

size_t idt_element_bytes(const uint8_t *bytes, size_t len) {
    if (len == 0) {
        return 0;
    }
    idt_cursor c = {bytes, bytes + len};
    return idt_skip(&c) ? (size_t)(c.at - bytes) : 0;
}

bool idt_item_is(const idt_item *item, const char *text) {
    return item->kind == IDT_STR && item->len == strlen(text) &&
           memcmp(item->bytes, text, item->len) == 0;
}
