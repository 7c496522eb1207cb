/* SPDX-License-Identifier: Apache-2.0 */
/* segment.c -- see segment.h.
 *
 * What stands behind the last good frame is one of three things. Zeros: the
 * log ends there. Bytes that a write can have left of which part is missing:
 * it was never on the medium whole, so nobody was told of it, and it is cut.
 * Anything else, or a later frame that says that the log was on the medium
 * past this point: what was acknowledged has changed. */
#include "server/journal/segment.h"

#include "server/journal/mutant.h"

#include <assert.h>
#include <string.h>

void ids_segment_begin(ids_segment_reader *r, const uint8_t *bytes, size_t len,
                       const ids_file_head *head, const ids_log_end *before) {
    *r = (ids_segment_reader){.bytes = bytes,
                              .len = len,
                              .head = *head,
                              .end = {.segment = head->number,
                                      .at = IDS_FILE_HEAD_BYTES,
                                      .chain = before->chain,
                                      .number = before->number}};
}

static bool is_log_frame(const ids_file_head *head, const ids_frame *f) {
    return (f->kind == IDS_FRAME_CHANGES || f->kind == IDS_FRAME_SEAL) &&
           f->epoch == head->epoch && f->now_ms <= IDS_LOG_MS_MAX;
}

/* Whether the frame is the one that comes behind the last one read. */
static bool follows(const ids_segment_reader *r, const ids_frame *f) {
    if (IDS_MUTANT(NO_CHAIN))
        return is_log_frame(&r->head, f);
    return is_log_frame(&r->head, f) && f->previous == r->end.chain &&
           f->first == r->end.number + 1;
}

/* Looks behind the end for a frame that says that the log was on the medium
 * past it. Frames can't be forged by what clients store: their checksum
 * starts from numbers that no client is told. */
bool ids_segment_tells_synced(const uint8_t *bytes, size_t len,
                              const ids_file_head *head, size_t from,
                              const ids_log_end *past) {
    for (size_t at = from; at + IDS_FRAME_MIN_BYTES <= len;
         at += IDS_FRAME_ALIGN) {
        ids_frame f;
        if (bytes[at] == 0 || ids_frame_check(bytes + at, len - at, head->crc,
                                              &f) != IDS_FRAME_WHOLE)
            continue;
        if (is_log_frame(head, &f) &&
            (f.synced_segment > past->segment ||
             (f.synced_segment == past->segment && f.synced_at > past->at)))
            return true;
    }
    return false;
}

static bool was_synced(const ids_segment_reader *r) {
    return ids_segment_tells_synced(r->bytes, r->len, &r->head, r->end.at,
                                    &r->end);
}

static ids_segment_step corrupt_segment(ids_segment_reader *r,
                                        const char *what) {
    r->what = what;
    return IDS_SEGMENT_CORRUPT;
}

static ids_segment_step no_frame(ids_segment_reader *r) {
    bool nothing = ids_is_zero(r->bytes + r->end.at, r->len - r->end.at);
    assert(r->end.at < r->len);
    if (IDS_MUTANT(CUTS_CORRUPTION))
        return nothing ? IDS_SEGMENT_OVER : IDS_SEGMENT_TORN;
    if (nothing)
        return IDS_SEGMENT_OVER;
    if (was_synced(r))
        return corrupt_segment(r,
                               "a batch is damaged or missing, and a good one "
                               "behind it says that it was on the disk");
    if (!ids_frame_is_torn(r->bytes, r->len, r->end.at, r->head.crc))
        return corrupt_segment(
            r, "a batch is damaged, and no write that was cut off "
               "leaves it so");
    return IDS_MUTANT(REFUSES_TORN) ? corrupt_segment(r, "torn")
                                    : IDS_SEGMENT_TORN;
}

ids_segment_step ids_segment_next(ids_segment_reader *r, ids_frame *f,
                                  const uint8_t **body) {
    assert(r->end.at >= IDS_FILE_HEAD_BYTES);
    if (r->end.at >= r->len)
        return corrupt_segment(r, "the file ends before its log does");
    ids_frame_read is = ids_frame_check(r->bytes + r->end.at,
                                        r->len - r->end.at, r->head.crc, f);
    if (is != IDS_FRAME_WHOLE)
        return no_frame(r);
    if (!follows(r, f))
        return corrupt_segment(
            r, "a good batch that doesn't follow the one before");
    *body = r->bytes + r->end.at + IDS_FRAME_HEAD_BYTES;
    r->end.at += (uint32_t)ids_frame_bytes(f->body_bytes);
    assert(r->end.at <= r->len);
    r->end.chain = f->crc;
    r->end.number = f->first + f->count - 1;
    return f->kind == IDS_FRAME_SEAL ? IDS_SEGMENT_SEALED : IDS_SEGMENT_FRAME;
}

ids_changes ids_changes_of(const ids_frame *frame, const uint8_t *body) {
    return (ids_changes){.at = body,
                         .left_bytes = frame->body_bytes,
                         .left = frame->count,
                         .number = frame->first};
}

bool ids_changes_next(ids_changes *c, ids_change *change) {
    if (c->left == 0)
        return false;
    size_t took = ids_change_read(c->at, c->left_bytes, change);
    if (took == 0)
        return false;
    assert(took <= c->left_bytes);
    change->number = c->number++;
    c->at += took;
    c->left_bytes -= took;
    c->left--;
    return true;
}

bool ids_changes_are_done(const ids_changes *c) {
    return c->left == 0 && c->left_bytes == 0;
}
