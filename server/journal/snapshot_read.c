/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_read.c -- reading a snapshot back; see snapshot.h.
 *
 * A snapshot that the manifest names was on the medium whole before it was
 * named, so whatever is wrong with it has gone wrong since. */
#include "server/journal/names.h"
#include "server/journal/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const ids_disk *disk;
    const ids_loader *loader;
    char name[IDS_DISK_NAME_BYTES];
    int file;
    ids_file_head head;
    ids_snapshot_sum sum; /* of what was read */
    uint64_t size;
    uint8_t *bytes; /* a frame */
    size_t cap;
    uint64_t clock_ms;
    ids_fault *fault;
} reader;

bool ids_load_frame(const ids_loader *loader, const ids_frame *frame,
                    const uint8_t *body, const char *name, uint64_t at,
                    ids_fault *fault) {
    ids_change changes[IDS_LOAD_COUNT_MAX];
    ids_changes from = ids_changes_of(frame, body);
    size_t count;
    assert(body != NULL);
    do {
        count = 0;
        while (count < IDS_LOAD_COUNT_MAX &&
               ids_changes_next(&from, &changes[count]))
            count++;
        if (count > 0 && loader != NULL &&
            !loader->load(loader->ctx, changes, count, frame->now_ms))
            return ids_fault_set(fault, IDS_FAULT_MEMORY, name,
                                 "its records don't fit into memory");
    } while (count == IDS_LOAD_COUNT_MAX);
    return ids_changes_are_done(&from) ||
           ids_fault_at(fault, name, at, "a record that makes no sense");
}

static bool corrupt_snapshot_block(reader *r, const char *what) {
    return ids_fault_at(r->fault, r->name, r->sum.bytes, what);
}

static bool fetch(reader *r, uint64_t at, uint8_t *to, size_t len) {
    int64_t got = ids_disk_read_all(r->disk, r->file, at, to, len);
    if (got < 0)
        return ids_fault_disk(r->fault, (int)got, r->name, "can't read");
    return (size_t)got == len ||
           corrupt_snapshot_block(r, "the file is too short");
}

static bool read_snapshot_head(reader *r, const ids_file_head *wanted) {
    uint8_t bytes[IDS_FILE_HEAD_BYTES];
    if (!fetch(r, 0, bytes, sizeof bytes))
        return false;
    switch (ids_file_head_check(bytes, sizeof bytes, IDS_SNAPSHOT_MAGIC,
                                &r->head)) {
    case IDS_FILE_OK:
        break;
    case IDS_FILE_FOREIGN:
        return ids_fault_set(r->fault, IDS_FAULT_FOREIGN, r->name,
                             "not a snapshot of idemstore's");
    case IDS_FILE_NEWER:
        return ids_fault_set(r->fault, IDS_FAULT_NEWER, r->name,
                             "written by a newer version");
    case IDS_FILE_BAD:
        return corrupt_snapshot_block(r, "the header is damaged");
    }
    r->sum.bytes = sizeof bytes;
    if (r->head.node != wanted->node)
        return ids_fault_set(r->fault, IDS_FAULT_FOREIGN, r->name,
                             "another node's snapshot");
    return (r->head.number == wanted->number && r->head.loop == wanted->loop) ||
           corrupt_snapshot_block(r, "another snapshot's file");
}

static bool make_room_in_snapshot_block(reader *r, size_t bytes) {
    uint8_t *grown;
    assert((r->cap == 0) == (r->bytes == NULL));
    if (bytes <= r->cap)
        return true;
    grown = realloc(r->bytes, bytes);
    if (grown == NULL)
        return ids_fault_set(r->fault, IDS_FAULT_MEMORY, r->name,
                             "a block doesn't fit into memory");
    r->bytes = grown;
    r->cap = bytes;
    return true;
}

/* Reads the next frame into r->bytes. Memory is only spent on what a good
 * head announces and the file's size allows. */
static bool read_frame(reader *r, ids_frame *frame) {
    uint64_t at = r->sum.bytes;
    size_t bytes;
    if (!make_room_in_snapshot_block(r, IDS_BLOCK_BYTES * 2) ||
        !fetch(r, at, r->bytes, IDS_FRAME_HEAD_BYTES))
        return false;
    if (ids_frame_check_head(r->bytes, IDS_FRAME_HEAD_BYTES, r->head.crc,
                             frame) != IDS_FRAME_WHOLE)
        return corrupt_snapshot_block(r, "a block's head is damaged");
    bytes = ids_frame_bytes(frame->body_bytes);
    assert(r->cap >= IDS_FRAME_HEAD_BYTES);
    if (bytes > r->size - at)
        return corrupt_snapshot_block(r, "the file is too short");
    if (!make_room_in_snapshot_block(r, bytes) ||
        !fetch(r, at, r->bytes, bytes))
        return false;
    if (ids_frame_check(r->bytes, bytes, r->head.crc, frame) != IDS_FRAME_WHOLE)
        return corrupt_snapshot_block(r, "a block is damaged");
    if (frame->previous != r->sum.crc || frame->first != r->sum.records ||
        frame->epoch != r->head.epoch || frame->now_ms > IDS_LOG_MS_MAX)
        return corrupt_snapshot_block(
            r, "a block that doesn't follow the one before");
    return true;
}

static bool read_frames(reader *r) {
    for (;;) {
        ids_frame frame;
        if (!read_frame(r, &frame))
            return false;
        if (frame.kind == IDS_FRAME_RECORDS &&
            !ids_load_frame(r->loader, &frame, r->bytes + IDS_FRAME_HEAD_BYTES,
                            r->name, r->sum.bytes, r->fault))
            return false;
        if (frame.now_ms > r->clock_ms)
            r->clock_ms = frame.now_ms;
        r->sum.bytes += ids_frame_bytes(frame.body_bytes);
        assert(r->sum.bytes <= r->size);
        r->sum.records += frame.count;
        r->sum.crc = frame.crc;
        if (frame.kind == IDS_FRAME_END)
            return true;
        if (frame.kind != IDS_FRAME_RECORDS)
            return corrupt_snapshot_block(r,
                                          "a block that doesn't belong here");
    }
}

static bool read_snapshot(reader *r, const ids_file_head *head,
                          const ids_snapshot_sum *sum) {
    int64_t size = r->disk->size(r->disk->ctx, r->file);
    if (size < 0)
        return ids_fault_disk(r->fault, (int)size, r->name, "can't read");
    r->size = (uint64_t)size;
    if (!read_snapshot_head(r, head) || !read_frames(r))
        return false;
    return (r->sum.records == sum->records && r->sum.crc == sum->crc &&
            r->sum.bytes == sum->bytes) ||
           corrupt_snapshot_block(r,
                                  "not the snapshot that the manifest means");
}

bool ids_snapshot_read(const ids_disk *disk, const ids_file_head *head,
                       const ids_snapshot_sum *sum, const ids_loader *loader,
                       uint64_t *clock_ms, ids_fault *fault) {
    reader r = {.disk = disk, .loader = loader, .fault = fault};
    ids_name_snapshot(r.name, head->number, head->loop);
    r.file = disk->open(disk->ctx, r.name, IDS_DISK_READ);
    if (r.file < 0 && r.file != -ENOENT)
        return ids_fault_disk(fault, r.file, r.name, "can't open");
    if (r.file < 0)
        return ids_fault_set(fault, IDS_FAULT_MISSING, r.name,
                             "the manifest names it, and it is not there");
    bool good = read_snapshot(&r, head, sum);
    disk->close(disk->ctx, r.file);
    free(r.bytes);
    if (good && r.clock_ms > *clock_ms)
        *clock_ms = r.clock_ms;
    return good;
}
