/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c -- reading one log back, segment by segment; see data_dir.h.
 *
 * A log of a run that has ends (closed, replaced) ends exactly where the
 * manifest says. One that is open ends where its writer was stopped, by
 * whatever it was. */
#include "server/journal/data_dir.h"
#include "server/journal/mutant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const ids_data_dir *dir;
    const ids_manifest_run *run;
    const ids_manifest_log *log;
    uint32_t loop;
    const ids_loader *loader;
    ids_unit *unit;
    ids_fault *fault;
    uint8_t *bytes; /* the segment in hand */
    size_t len, cap;
    ids_segment_reader reader;
} reading;

static bool corrupt_log(reading *r, uint64_t at, const char *what) {
    return ids_fault_at(r->fault, r->unit->name, at, what);
}

static bool segment_is_there(const reading *r, uint64_t segment) {
    for (size_t i = 0; i < r->dir->logs_count; i++) {
        const ids_name *name = &r->dir->logs[i];
        if (name->epoch == r->run->epoch && name->loop == r->loop &&
            name->number == segment)
            return true;
    }
    return false;
}

static bool any_after(const reading *r, uint64_t segment) {
    for (size_t i = 0; i < r->dir->logs_count; i++) {
        const ids_name *name = &r->dir->logs[i];
        if (name->epoch == r->run->epoch && name->loop == r->loop &&
            name->number > segment)
            return true;
    }
    return false;
}

static bool read_open_file(reading *r, int file, size_t bytes_max) {
    const ids_disk *disk = r->dir->disk;
    int64_t size = disk->size(disk->ctx, file);
    if (size < 0)
        return ids_fault_disk(r->fault, (int)size, r->unit->name, "can't read");
    if (size > IDS_SEGMENT_BYTES_MAX)
        return corrupt_log(r, IDS_SEGMENT_BYTES_MAX,
                           "larger than a segment is");
    size_t len = (size_t)size < bytes_max ? (size_t)size : bytes_max;
    if (len > r->cap) {
        uint8_t *grown = realloc(r->bytes, len);
        if (grown == NULL)
            return ids_fault_set(r->fault, IDS_FAULT_MEMORY, r->unit->name,
                                 "a segment doesn't fit into memory");
        r->bytes = grown;
        r->cap = len;
    }
    int64_t got = ids_disk_read_all(disk, file, 0, r->bytes, len);
    if (got < 0)
        return ids_fault_disk(r->fault, (int)got, r->unit->name, "can't read");
    r->len = (size_t)got;
    assert(r->len <= len && len <= r->cap);
    return true;
}

static bool read_segment(reading *r, uint64_t segment, size_t bytes_max) {
    const ids_disk *disk = r->dir->disk;
    assert(segment >= 1);
    ids_name_log(r->unit->name, r->run->epoch, r->loop, segment);
    int file = disk->open(disk->ctx, r->unit->name, IDS_DISK_READ);
    if (file == -ENOENT)
        return ids_fault_set(r->fault, IDS_FAULT_MISSING, r->unit->name,
                             "a segment of the log is not there");
    if (file < 0)
        return ids_fault_disk(r->fault, file, r->unit->name, "can't open");
    bool good = read_open_file(r, file, bytes_max);
    disk->close(disk->ctx, file);
    return good;
}

static bool is_segment_of_run(const reading *r, const ids_file_head *head,
                              uint64_t segment) {
    return head->node == r->dir->manifest.node &&
           head->epoch == r->run->epoch && head->loop == r->loop &&
           head->number == segment && head->start_ms == r->run->start_ms;
}

static bool check_head(reading *r, uint64_t segment, ids_file_head *head) {
    switch (ids_file_head_check(r->bytes, r->len, IDS_LOG_MAGIC, head)) {
    case IDS_FILE_OK:
        break;
    case IDS_FILE_FOREIGN:
        return ids_fault_set(r->fault, IDS_FAULT_FOREIGN, r->unit->name,
                             "not a log of idemstore's");
    case IDS_FILE_NEWER:
        return ids_fault_set(r->fault, IDS_FAULT_NEWER, r->unit->name,
                             "written by a newer version");
    case IDS_FILE_BAD:
        return corrupt_log(r, 0, "the header is damaged");
    }
    if (head->node != r->dir->manifest.node)
        return ids_fault_set(r->fault, IDS_FAULT_FOREIGN, r->unit->name,
                             "another node's log");
    if (!is_segment_of_run(r, head, segment))
        return corrupt_log(r, 0, "another segment under this name");
    return head->bytes == r->len ||
           corrupt_log(r, r->len, "the file is not as long as it was made");
}

static bool open_segment(reading *r, uint64_t segment,
                         const ids_log_end *before) {
    ids_file_head head;
    if (!read_segment(r, segment, SIZE_MAX) || !check_head(r, segment, &head))
        return false;
    ids_segment_begin(&r->reader, r->bytes, r->len, &head, before);
    assert(r->reader.end.segment == segment);
    assert(r->len >= IDS_FILE_HEAD_BYTES);
    r->unit->files++;
    r->unit->unsure[1] = (ids_log_span){.segment = segment,
                                        .from = IDS_FILE_HEAD_BYTES,
                                        .to = IDS_FILE_HEAD_BYTES};
    return true;
}

/* A segment behind the one in which the log seems to end: does it say that
 * the log was on the medium past that? *unsound: it can't be read. */
static bool tells_synced(reading *r, uint64_t segment, bool *unsound) {
    ids_file_head head;
    char name[IDS_DISK_NAME_BYTES];
    assert(segment > r->reader.end.segment);
    if (!segment_is_there(r, segment))
        return false;
    memcpy(name, r->unit->name, sizeof name);
    *unsound = !read_segment(r, segment, SIZE_MAX);
    memcpy(r->unit->name, name, sizeof name);
    return !*unsound &&
           ids_file_head_check(r->bytes, r->len, IDS_LOG_MAGIC, &head) ==
               IDS_FILE_OK &&
           is_segment_of_run(r, &head, segment) &&
           ids_segment_tells_synced(r->bytes, r->len, &head,
                                    IDS_FILE_HEAD_BYTES, &r->reader.end);
}

/* The log seems to end in an open run's segment. The next one may have been
 * begun before all of this one was on the medium, and a third one have been
 * made ready: unless they say that it was, what is missing here was never
 * acknowledged as being there, and what they hold goes with it. */
static bool ends_here(reading *r) {
    uint64_t segment = r->reader.end.segment;
    bool unsound = false;
    assert(!ids_run_has_ends(r->run));
    if (IDS_MUTANT(FORGETS_MISSING))
        return true;
    if (any_after(r, segment + 2))
        return corrupt_log(r, r->reader.end.at,
                           "the log ends here, but later segments are there");
    for (uint64_t next = segment + 1; next <= segment + 2; next++) {
        if (tells_synced(r, next, &unsound))
            return corrupt_log(
                r, r->reader.end.at,
                "the log ends here, but a later segment says that "
                "more of it was on the disk");
        if (unsound)
            return false;
    }
    return true;
}

static bool is_end(const reading *r) {
    return ids_run_has_ends(r->run) &&
           r->reader.end.segment == r->log->end.segment &&
           r->reader.end.at == r->log->end.at;
}

/* What the frame says was on the medium before it needs no doubt: of the
 * segment sealed last, and of this one. */
static void note_synced(reading *r, const ids_frame *frame, uint64_t at) {
    ids_log_span *span = &r->unit->unsure[1], *sealed = &r->unit->unsure[0];
    if (frame->synced_segment > sealed->segment)
        sealed->segment = 0;
    else if (frame->synced_segment == sealed->segment &&
             frame->synced_at > sealed->from && frame->synced_at <= sealed->to)
        sealed->from = frame->synced_at;
    if (frame->synced_segment == r->reader.end.segment &&
        frame->synced_at >= span->from && frame->synced_at <= at)
        span->from = frame->synced_at;
    span->to = r->reader.end.at;
    assert(span->from <= span->to && span->to <= r->len);
}

static bool take_journal_frame(reading *r, const ids_frame *frame,
                               const uint8_t *body) {
    uint64_t at = (uint64_t)(body - r->bytes) - IDS_FRAME_HEAD_BYTES;
    assert(body >= r->bytes + IDS_FRAME_HEAD_BYTES);
    note_synced(r, frame, at);
    if (frame->now_ms > r->unit->clock_ms)
        r->unit->clock_ms = frame->now_ms;
    r->unit->records += frame->count;
    return ids_load_frame(r->loader, frame, body, r->unit->name, at, r->fault);
}

static bool leave_log(reading *r) {
    const ids_log_end *end = &r->reader.end;
    assert(end->segment >= r->log->first.segment);
    r->unit->bytes += end->at;
    if (ids_run_has_ends(r->run) &&
        (end->chain != r->log->end.chain || end->number != r->log->end.number))
        return corrupt_log(r, end->at,
                           "the log is not the one that was closed");
    r->unit->end = *end;
    return true;
}

/* Reads frames until the log ends; false: a fault. */
static bool read_segments(reading *r) {
    ids_log_end before;
    ids_frame frame;
    const uint8_t *body;
    while (!is_end(r)) {
        switch (ids_segment_next(&r->reader, &frame, &body)) {
        case IDS_SEGMENT_FRAME:
            if (!take_journal_frame(r, &frame, body))
                return false;
            break;
        case IDS_SEGMENT_SEALED:
            before = r->reader.end;
            assert(before.at >= IDS_FILE_HEAD_BYTES + IDS_FRAME_MIN_BYTES);
            note_synced(r, &frame, before.at - IDS_FRAME_MIN_BYTES);
            r->unit->unsure[0] = r->unit->unsure[1];
            if (frame.now_ms > r->unit->clock_ms)
                r->unit->clock_ms = frame.now_ms;
            r->unit->bytes += before.at;
            if (IDS_MUTANT(FORGETS_MISSING) &&
                !segment_is_there(r, before.segment + 1))
                return leave_log(r);
            if (!open_segment(r, before.segment + 1, &before))
                return false;
            break;
        case IDS_SEGMENT_TORN:
        case IDS_SEGMENT_OVER:
            r->unit->torn = !ids_is_zero(r->bytes + r->reader.end.at,
                                         r->len - r->reader.end.at);
            if (ids_run_has_ends(r->run))
                return corrupt_log(r, r->reader.end.at,
                                   "the log ends before it was closed");
            return ends_here(r) && leave_log(r);
        case IDS_SEGMENT_CORRUPT:
            return corrupt_log(r, r->reader.end.at, r->reader.what);
        }
    }
    return leave_log(r);
}

bool ids_data_dir_read_log(ids_data_dir *dir, uint32_t run, uint32_t loop,
                           const ids_loader *loader, ids_fault *fault) {
    const ids_manifest_run *of = &dir->manifest.run[run];
    reading r = {.dir = dir,
                 .run = of,
                 .log = &of->logs[loop],
                 .loop = loop,
                 .loader = loader,
                 .unit = &dir->log[run][loop],
                 .fault = fault};
    const ids_log_end *first = &r.log->first;
    assert(loop < of->loops && run < dir->manifest.runs);
    *r.unit = (ids_unit){0};
    bool good = open_segment(&r, first->segment, first) && read_segments(&r);
    free(r.bytes);
    return good;
}
