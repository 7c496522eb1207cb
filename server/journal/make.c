/* SPDX-License-Identifier: Apache-2.0 */
/* make.c -- a log's segments are made: how large, and what is left behind where
 * there is no room; see make.h. */
#include "server/journal/make.h"

#include "server/journal/names.h"

#include <assert.h>

/* Sizes are multiples of it. */
#define BLOCK_BYTES 4096u

/* The first segment, of the largest; each next one is twice as large. */
#define FIRST_PART      64u
#define FIRST_BYTES_MIN 16384u

bool ids_writer_fail(ids_writer *w, int error, uint64_t segment,
                     const char *what) {
    char name[IDS_DISK_NAME_BYTES];
    assert(error < 0);
    ids_name_log(name, w->config.epoch, w->config.loop, segment);
    return ids_fault_disk(&w->fault, error, name, what);
}

void ids_writer_look_for_room(ids_writer *w) {
    int64_t room = w->config.disk->free_bytes(w->config.disk->ctx);
    if (room >= 0)
        w->free_bytes = (uint64_t)room;
}

/* Creates a segment of that size, or leaves nothing behind. */
static int create(ids_writer *w, const char *name, ids_segment_file *made) {
    const ids_disk *disk = w->config.disk;
    uint8_t head[IDS_FILE_HEAD_BYTES];
    int file = disk->open(disk->ctx, name, IDS_DISK_CREATE);
    assert(made->head.bytes >= IDS_SEGMENT_EXTRA);
    if (file < 0)
        return file;
    if (disk->identity)
        made->head.identity = disk->identity(disk->ctx, file);
    ids_file_head_write(head, &made->head, IDS_LOG_MAGIC);
    int error = disk->allocate(disk->ctx, file, made->head.bytes);
    if (!error)
        error = ids_disk_write_all(disk, file, 0, head, sizeof head);
    if (!error)
        error = disk->sync(disk->ctx, file);
    made->file = file;
    if (!error)
        return 0;
    disk->close(disk->ctx, file);
    made->file = -1;
    disk->remove(disk->ctx, name);
    return error;
}

/* A log begins small: a start takes little room, and the first segment, which
 * nobody could fill with zeros ahead, is soon over. While one fills up there
 * is time to do that for one twice as large. */
static uint32_t planned_bytes(const ids_writer *w, uint64_t number,
                              uint32_t at_least) {
    uint64_t most = w->config.segment_bytes;
    uint64_t bytes =
        (most / FIRST_PART + BLOCK_BYTES - 1) & -(uint64_t)BLOCK_BYTES;
    assert(number >= 1);
    assert(at_least + IDS_SEGMENT_EXTRA <= most);
    if (bytes < FIRST_BYTES_MIN)
        bytes = FIRST_BYTES_MIN;
    for (uint64_t n = 1; n < number && bytes < most; n++)
        bytes *= 2;
    while (bytes < at_least + IDS_SEGMENT_EXTRA)
        bytes *= 2;
    return (uint32_t)(bytes < most ? bytes : most);
}

uint32_t ids_writer_first_bytes_min(uint32_t segment_bytes) {
    const ids_writer w = {.config = {.segment_bytes = segment_bytes}};
    uint32_t planned = planned_bytes(&w, 1, 0);
    return planned < IDS_SEGMENT_BYTES_MIN ? planned : IDS_SEGMENT_BYTES_MIN;
}

/* On a disk that is nearly full a smaller segment has to do, as long as it
 * holds at_least bytes of frames. */
bool ids_writer_make(ids_writer *w, uint64_t number, uint32_t at_least,
                     ids_segment_file *made) {
    const ids_writer_config *config = &w->config;
    char name[IDS_DISK_NAME_BYTES];
    uint32_t bytes = config->is_tight && number == 1
                         ? ids_writer_first_bytes_min(config->segment_bytes)
                         : planned_bytes(w, number, at_least);
    int error;
    assert(number >= 1);
    *made = (ids_segment_file){.file = -1,
                               .head = {.node = config->node,
                                        .epoch = config->epoch,
                                        .number = number,
                                        .start_ms = config->start_ms,
                                        .loop = config->loop}};
    ids_name_log(name, config->epoch, config->loop, number);
    for (;;) {
        made->head.bytes = bytes;
        assert(bytes >= at_least + IDS_SEGMENT_EXTRA);
        error = create(w, name, made);
        if (!ids_fault_is_room(error) ||
            bytes / 2 < at_least + IDS_SEGMENT_EXTRA ||
            bytes / 2 < IDS_SEGMENT_BYTES_MIN)
            break;
        bytes /= 2;
    }
    assert((error == 0) == (made->file >= 0));
    ids_writer_look_for_room(w);
    return !error || ids_writer_fail(w, error, number, "can't make a segment");
}
