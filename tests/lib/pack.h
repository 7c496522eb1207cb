/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h -- MessagePack for tests, written and read apart from proto/, so
 * that a story does not judge our codec by itself.
 *
 * Writing makes the shortest form, unless a test asks for another. */
#ifndef IDT_PACK_H
#define IDT_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow. Zeroed is empty; idt_buf_free gives them back. */
typedef struct idt_buf {
    uint8_t *at;
    size_t len;
    size_t cap;
} idt_buf;

void idt_buf_add(idt_buf *buf, const void *bytes, size_t len);
void idt_buf_add_byte(idt_buf *buf, uint8_t byte);
void idt_buf_drop(idt_buf *buf, size_t len); /* from the front */
void idt_buf_free(idt_buf *buf);

void idt_pack_nil(idt_buf *buf);
void idt_pack_bool(idt_buf *buf, bool value);
void idt_pack_uint(idt_buf *buf, uint64_t value);
void idt_pack_int(idt_buf *buf, int64_t value);
void idt_pack_uint64(idt_buf *buf, uint64_t value); /* always nine bytes */
void idt_pack_double(idt_buf *buf, double value);
void idt_pack_str(idt_buf *buf, const void *bytes, size_t len);
void idt_pack_bin(idt_buf *buf, const void *bytes, size_t len);
void idt_pack_array(idt_buf *buf, uint32_t count);
void idt_pack_map(idt_buf *buf, uint32_t count);

typedef enum idt_kind {
    IDT_NIL,
    IDT_BOOL,
    IDT_UINT,
    IDT_INT, /* below zero */
    IDT_DOUBLE,
    IDT_STR,
    IDT_BIN,
    IDT_ARRAY,
    IDT_MAP,
    IDT_OTHER
} idt_kind;

/* One element: of an array or map only its head. */
typedef struct idt_item {
    idt_kind kind;
    uint64_t number;      /* UINT, INT (as two's complement), BOOL */
    uint64_t count;       /* ARRAY: elements, MAP: pairs */
    const uint8_t *bytes; /* STR, BIN */
    size_t len;
} idt_item;

/* What is left to read. */
typedef struct idt_cursor {
    const uint8_t *at;
    const uint8_t *end;
} idt_cursor;

/* False when the bytes end first. */
bool idt_unpack(idt_cursor *cursor, idt_item *item);

/* Steps over one element with all that it holds. */
bool idt_skip(idt_cursor *cursor);

/* The size of the whole element at the head; 0 when there is more to come. */
size_t idt_element_bytes(const uint8_t *bytes, size_t len);

bool idt_item_is(const idt_item *item, const char *text);

#endif
