/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c -- see frame.h. */
#include "server/journal/frame.h"

#include "server/base/pack.h"
#include "server/journal/crc32c.h"
#include "server/journal/mutant.h"

#include <assert.h>
#include <string.h>

#define FILL        0xed
#define HEAD_CRC_AT 52
#define FILE_CRC_AT 60
#define MAGIC_BYTES 8
#define VERSION_AT  8

bool ids_is_zero(const uint8_t *bytes, size_t len) {
    return len == 0 ||
           (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

void ids_frame_fill(uint8_t *at, size_t body_bytes) {
    memset(at, FILL, IDS_FRAME_ALIGN - body_bytes % IDS_FRAME_ALIGN);
}

void ids_frame_seal(uint8_t *at, ids_frame *f, uint32_t seed) {
    size_t bytes = ids_frame_bytes(f->body_bytes);
    assert(f->body_bytes <= IDS_FRAME_BODY_BYTES_MAX);
    assert(bytes % IDS_FRAME_ALIGN == 0 && bytes > IDS_FRAME_HEAD_BYTES);
    f->body_crc =
        ids_crc32c(0, at + IDS_FRAME_HEAD_BYTES, bytes - IDS_FRAME_HEAD_BYTES);
    ids_put_u32(at, f->kind);
    ids_put_u32(at + 4, f->body_bytes);
    ids_put_u64(at + 8, f->epoch);
    ids_put_u64(at + 16, f->first);
    ids_put_u64(at + 24, f->now_ms);
    ids_put_u32(at + 32, f->synced_segment);
    ids_put_u32(at + 36, f->synced_at);
    ids_put_u32(at + 40, f->count);
    ids_put_u32(at + 44, f->previous);
    ids_put_u32(at + 48, f->body_crc);
    f->crc = ids_crc32c(seed, at, HEAD_CRC_AT);
    ids_put_u32(at + HEAD_CRC_AT, f->crc);
}

void ids_frame_blank(uint8_t *at, const ids_frame *f) {
    assert(f->body_bytes <= IDS_FRAME_BODY_BYTES_MAX);
    memset(at, 0, IDS_FRAME_HEAD_BYTES);
    ids_put_u32(at, f->kind);
    ids_put_u32(at + 4, f->body_bytes);
    ids_put_u64(at + 24, f->now_ms);
    ids_put_u32(at + 40, f->count);
}

ids_frame ids_frame_of_blank(const uint8_t *at) {
    return (ids_frame){.kind = ids_get_u32(at),
                       .body_bytes = ids_get_u32(at + 4),
                       .now_ms = ids_get_u64(at + 24),
                       .count = ids_get_u32(at + 40)};
}

static bool kind_is_known(uint32_t kind) {
    return kind == IDS_FRAME_CHANGES || kind == IDS_FRAME_SEAL ||
           kind == IDS_FRAME_RECORDS || kind == IDS_FRAME_END;
}

ids_frame_read ids_frame_check_head(const uint8_t *at, size_t len,
                                    uint32_t seed, ids_frame *f) {
    if (len < IDS_FRAME_HEAD_BYTES || !kind_is_known(ids_get_u32(at)))
        return IDS_FRAME_BAD_HEAD;
    *f = (ids_frame){.kind = ids_get_u32(at),
                     .body_bytes = ids_get_u32(at + 4),
                     .epoch = ids_get_u64(at + 8),
                     .first = ids_get_u64(at + 16),
                     .now_ms = ids_get_u64(at + 24),
                     .synced_segment = ids_get_u32(at + 32),
                     .synced_at = ids_get_u32(at + 36),
                     .count = ids_get_u32(at + 40),
                     .previous = ids_get_u32(at + 44),
                     .body_crc = ids_get_u32(at + 48),
                     .crc = ids_get_u32(at + HEAD_CRC_AT)};
    if (f->body_bytes > IDS_FRAME_BODY_BYTES_MAX ||
        f->crc != ids_crc32c(seed, at, HEAD_CRC_AT))
        return IDS_FRAME_BAD_HEAD;
    return IDS_FRAME_WHOLE;
}

ids_frame_read ids_frame_check(const uint8_t *at, size_t len, uint32_t seed,
                               ids_frame *f) {
    if (ids_frame_check_head(at, len, seed, f) != IDS_FRAME_WHOLE)
        return IDS_FRAME_BAD_HEAD;
    size_t bytes = ids_frame_bytes(f->body_bytes);
    if (bytes > len)
        return IDS_FRAME_SHORT;
    if (!IDS_MUTANT(NO_CHECKSUM) &&
        f->body_crc != ids_crc32c(0, at + IDS_FRAME_HEAD_BYTES,
                                  bytes - IDS_FRAME_HEAD_BYTES))
        return IDS_FRAME_BAD_BODY;
    return IDS_FRAME_WHOLE;
}

/* Whether one of the sectors that [from, to) lies in has nothing but zeros
 * there. */
static bool lacks_a_sector(const uint8_t *bytes, size_t from, size_t to) {
    assert(from <= to);
    while (from < to) {
        size_t end = (from / IDS_SECTOR_BYTES + 1) * IDS_SECTOR_BYTES;
        assert(end > from);
        if (end > to)
            end = to;
        if (ids_is_zero(bytes + from, end - from))
            return true;
        from = end;
    }
    return false;
}

bool ids_frame_is_torn(const uint8_t *bytes, size_t len, size_t at,
                       uint32_t seed) {
    ids_frame frame;
    size_t end = at + IDS_FRAME_HEAD_BYTES;
    assert(at <= len);
    if (end > len)
        return ids_is_zero(bytes + at, len - at);
    ids_frame_read is =
        ids_frame_check_head(bytes + at, len - at, seed, &frame);
    if (is == IDS_FRAME_WHOLE)
        end = at + ids_frame_bytes(frame.body_bytes);
    if (end > len)
        return false; /* nobody writes past the end */
    assert(end > at && end <= len);
    if (lacks_a_sector(bytes, at, end))
        return true;
    /* A write that was cut off has zeros to its end: where the fill would be
     * that ends the frame, or from within the head on into the body. */
    if (is == IDS_FRAME_WHOLE || len - end < IDS_FRAME_ALIGN)
        return bytes[end - 1] == 0;
    return ids_is_zero(bytes + end - 1, 1 + IDS_FRAME_ALIGN);
}

void ids_file_head_write(uint8_t at[IDS_FILE_HEAD_BYTES], ids_file_head *head,
                         const char *magic) {
    assert(strlen(magic) == MAGIC_BYTES);
    memcpy(at, magic, MAGIC_BYTES);
    ids_put_u32(at + VERSION_AT, IDS_FORMAT_VERSION);
    ids_put_u32(at + 12, head->loop);
    ids_put_u64(at + 16, head->node);
    ids_put_u64(at + 24, head->epoch);
    ids_put_u64(at + 32, head->number);
    ids_put_u64(at + 40, head->start_ms);
    ids_put_u32(at + 48, head->bytes);
    ids_put_u64(at + 52, head->identity);
    head->crc = ids_crc32c(0, at, FILE_CRC_AT);
    ids_put_u32(at + FILE_CRC_AT, head->crc);
}

ids_file_read ids_file_head_check(const uint8_t *at, size_t len,
                                  const char *magic, ids_file_head *head) {
    if (len < IDS_FILE_HEAD_BYTES)
        return IDS_FILE_BAD;
    if (memcmp(at, magic, MAGIC_BYTES) != 0)
        return ids_is_zero(at, MAGIC_BYTES) ? IDS_FILE_BAD : IDS_FILE_FOREIGN;
    if (ids_get_u32(at + VERSION_AT) > IDS_FORMAT_VERSION)
        return IDS_FILE_NEWER;
    *head = (ids_file_head){.loop = ids_get_u32(at + 12),
                            .node = ids_get_u64(at + 16),
                            .epoch = ids_get_u64(at + 24),
                            .number = ids_get_u64(at + 32),
                            .start_ms = ids_get_u64(at + 40),
                            .bytes = ids_get_u32(at + 48),
                            .identity = ids_get_u64(at + 52),
                            .crc = ids_get_u32(at + FILE_CRC_AT)};
    if (ids_get_u32(at + VERSION_AT) != IDS_FORMAT_VERSION ||
        head->crc != ids_crc32c(0, at, FILE_CRC_AT))
        return IDS_FILE_BAD;
    return IDS_FILE_OK;
}
