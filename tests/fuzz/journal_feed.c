/* SPDX-License-Identifier: Apache-2.0 */
/* journal_feed.c -- see journal_feed.h. */
#include "tests/fuzz/journal_feed.h"

#include "server/base/pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int open_file(void *ctx, const char *name, ids_disk_mode mode) {
    ids_name parsed;
    (void)ctx;
    assert(mode == IDS_DISK_READ);
    ids_name_kind kind = ids_name_parse(name, &parsed);
    return (kind == IDS_NAME_IS_LOG || kind == IDS_NAME_IS_SNAPSHOT) &&
                   parsed.number == 1
               ? 1
               : -ENOENT;
}

static void close_file(void *ctx, int file) {
    (void)ctx;
    assert(file == 1);
}

static int64_t size_of(void *ctx, int file) {
    (void)file;
    return (int64_t)((const feed *)ctx)->len;
}

static int64_t read_some(void *ctx, int file, uint64_t at, void *bytes,
                         size_t len) {
    const feed *f = ctx;
    (void)file;
    if (at >= f->len) {
        return 0;
    }
    len = len < f->len - at ? len : f->len - at;
    memcpy(bytes, f->bytes + at, len);
    return (int64_t)len;
}

static uint64_t hash(void *ctx, idp_slice ns, idp_slice key) {
    (void)ctx;
    return (key.ptr[0] + 256u * ns.len) * 0x9e3779b97f4a7c15u;
}

static bool load(void *ctx, const ids_change *changes, size_t count,
                 uint64_t now_ms) {
    feed *f = ctx;
    assert(count > 0 && count <= IDS_LOAD_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        const ids_change *c = &changes[i];
        uint8_t bytes[IDS_CHANGE_BARE_BYTES_MAX + 65536];
        ids_change again;
        assert(ids_change_is_sound(c, IDS_CHANGE_RESULT_BYTES_MAX));
        if (c->result.len <= 65536) {
            size_t len = ids_change_write(bytes, c);
            assert(ids_change_read(bytes, len, &again) == len);
        }
        if (!ids_shard_put(f->shard, hash(NULL, c->ns, c->key), c, now_ms)) {
            return false;
        }
    }
    return true;
}

/* Makes frames of whatever has the length of one. */
static void mend(feed *f, const char *magic) {
    ids_file_head head = {.node = FEED_NODE,
                          .epoch = FEED_EPOCH,
                          .number = 1,
                          .start_ms = FEED_START_MS,
                          .bytes = (uint32_t)f->len};
    uint32_t previous = 0;
    uint64_t number = magic[4] == 's' ? 0 : 1;
    size_t at = IDS_FILE_HEAD_BYTES;
    if (f->len < at) {
        return;
    }
    ids_file_head_write(f->bytes, &head, magic);
    while (f->len - at >= IDS_FRAME_MIN_BYTES) {
        ids_frame frame = ids_frame_of_blank(f->bytes + at);
        frame.synced_segment = ids_get_u32(f->bytes + at + 32);
        frame.synced_at = ids_get_u32(f->bytes + at + 36);
        frame.body_bytes %= 4096;
        frame.epoch = FEED_EPOCH;
        frame.first = number;
        frame.previous = previous;
        if (frame.kind == 0 ||
            ids_frame_bytes(frame.body_bytes) > f->len - at) {
            return;
        }
        ids_frame_seal(f->bytes + at, &frame, head.crc);
        number += frame.count;
        previous = frame.crc;
        at += ids_frame_bytes(frame.body_bytes);
    }
}

void feed_open(feed *f, const uint8_t *bytes, size_t len, const char *magic) {
    bool mends = len > 0 && (bytes[0] & 1);
    *f = (feed){.len = len > 0 ? len - 1 : 0, .now_ms = IDS_CLOCK_START_MS};
    f->bytes = malloc(f->len + 1);
    assert(f->bytes);
    if (f->len) {
        memcpy(f->bytes, bytes + 1, f->len);
    }
    idt_mem_init(&f->mem);
    const ids_shard_config config = {.epoch = 1,
                                     .memory_bytes_max = 8u << 20,
                                     .result_bytes_max = 65536,
                                     .waiters_per_key_max = 1,
                                     .waiters_max = 1,
                                     .mem = idt_mem_of(&f->mem),
                                     .hash = hash};
    f->shard = ids_shard_new(&config);
    assert(f->shard);
    f->disk = (ids_disk){.ctx = f,
                         .open = open_file,
                         .close = close_file,
                         .size = size_of,
                         .read = read_some};
    f->loader = (ids_loader){.ctx = f, .load = load};
    if (mends) {
        mend(f, magic);
    }
}

void feed_close(feed *f) {
    uint64_t now_ms = IDS_LOG_MS_MAX;
    ids_shard_tick(f->shard, now_ms, 1000); /* what was loaded runs out */
    ids_shard_free(f->shard);
    assert(f->mem.blocks == 0);
    free(f->bytes);
}

ids_snapshot_sum feed_sum(const feed *f) {
    ids_snapshot_sum sum = {.bytes = f->len};
    size_t at = IDS_FILE_HEAD_BYTES;
    ids_file_head head;
    ids_frame frame;
    if (ids_file_head_check(f->bytes, f->len, IDS_SNAPSHOT_MAGIC, &head) !=
        IDS_FILE_OK) {
        return sum;
    }
    while (at < f->len && ids_frame_check(f->bytes + at, f->len - at, head.crc,
                                          &frame) == IDS_FRAME_WHOLE) {
        at += ids_frame_bytes(frame.body_bytes);
        sum.bytes = at;
        sum.records += frame.count;
        sum.crc = frame.crc;
    }
    return sum;
}
