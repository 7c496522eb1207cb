/* SPDX-License-Identifier: Apache-2.0 */
/* receiver.c -- see receiver.h. Pure. */
#include "server/peer/receiver.h"

#include "server/journal/change.h"
#include "server/peer/mutant.h"

#include <assert.h>

void ids_receiver_continue(ids_receiver *receiver, uint64_t behind) {
    assert(receiver->batch_first <= receiver->batch_next);
    receiver->syncing = receiver->begun = receiver->ended = false;
    receiver->in_place = false;
    receiver->reported = false;
    receiver->routed = receiver->applied = behind;
    receiver->acked = 0;
    receiver->mark = behind;
    receiver->batch_first = receiver->batch_next;
}

void ids_receiver_sync(ids_receiver *receiver, bool in_place) {
    ids_receiver_continue(receiver, 0);
    receiver->in_place = in_place;
    receiver->copied = receiver->copy_total = 0;
    receiver->syncing = true;
}

static ids_batch_open *batch_at(ids_receiver *receiver, uint64_t batch) {
    return &receiver->batches[batch % IDS_BATCHES_MAX];
}

static void advance_applied(ids_receiver *receiver) {
    while (receiver->batch_first < receiver->batch_next &&
           batch_at(receiver, receiver->batch_first)->waiting == 0) {
        assert(batch_at(receiver, receiver->batch_first)->last >=
               receiver->applied);
        receiver->applied = batch_at(receiver, receiver->batch_first)->last;
        receiver->batch_first++;
    }
    assert(receiver->applied <= receiver->routed);
}

/* No change of a later epoch than its frame's is sound. */
static bool read_one(ids_body *body, ids_change *change) {
    size_t bytes = ids_change_read(body->bytes.ptr, body->bytes.len, change);
    if (bytes == 0 || !ids_change_is_sound(change, body->result_bytes_max) ||
        change->token.epoch > body->tag.epoch)
        return false;
    assert(bytes <= body->bytes.len);
    assert(body->count > 0);
    body->bytes.ptr += bytes;
    body->bytes.len -= bytes;
    body->count--;
    return true;
}

uint32_t ids_body_next(ids_body *body,
                       ids_change changes[static IDS_ROUTE_MAX]) {
    uint32_t count = 0;
    while (body->count > 0 && count < IDS_ROUTE_MAX) {
        assert(body->skip <= body->count);
        if (!read_one(body, &changes[count]))
            return 0;
        if (body->skip > 0)
            body->skip--;
        else
            count++;
    }
    return count;
}

/* The first so many changes of an append may be known already; none is
 * skipped and nothing that is there is taken back (R9). */
static bool open_changes(ids_receiver *receiver, const ids_pf *frame,
                         uint64_t skip, uint64_t last) {
    ids_body body = {
        .tag = {.session = frame->session,
                .epoch = frame->epoch,
                .batch = receiver->batch_next++,
                .number = frame->kind == IDS_PF_APPEND ? last : 0,
                .stream = receiver->stream,
                .staged = receiver->syncing && !receiver->in_place},
        .bytes = frame->body,
        .count = frame->count,
        .skip = (uint32_t)skip,
        .result_bytes_max = receiver->result_bytes_max};
    assert(skip <= frame->count);
    assert(receiver->batch_next - receiver->batch_first <= IDS_BATCHES_MAX);
    assert(last <= receiver->routed);
    assert(frame->stream == receiver->stream);
    *batch_at(receiver, body.tag.batch) = (ids_batch_open){
        .last = last, .waiting = frame->count - (uint32_t)skip};
    advance_applied(receiver);
    return receiver->route(receiver->ctx, &body);
}

static bool append_batch(ids_receiver *receiver, const ids_pf *frame) {
    uint64_t last = frame->number + frame->count - 1;
    uint64_t skip = 0;
    if (frame->count == 0 || frame->number == 0 || last < frame->number ||
        (receiver->syncing && !receiver->begun))
        return false;
    if (frame->number > receiver->routed + 1)
        return IDS_RULE_OFF(R9); /* a gap */
    if (last <= receiver->routed)
        return true;
    skip = receiver->routed + 1 - frame->number;
    assert(skip < frame->count);
    receiver->routed = last;
    return open_changes(receiver, frame, skip, last);
}

bool ids_receiver_frame(ids_receiver *receiver, const ids_pf *frame) {
    assert(receiver->applied <= receiver->routed);
    assert(!receiver->ended || receiver->begun);
    if (ids_receiver_is_full(receiver))
        return false;
    switch (frame->kind) {
    case IDS_PF_APPEND:
        return append_batch(receiver, frame);
    case IDS_PF_SYNC_BEGIN:
        if (!receiver->syncing || receiver->begun)
            return false;
        receiver->begun = true;
        receiver->copy_total = frame->count;
        receiver->routed = receiver->applied = frame->number;
        return true;
    case IDS_PF_SYNC_CHUNK:
        receiver->copied += frame->count;
        return receiver->begun && !receiver->ended &&
               open_changes(receiver, frame, 0, receiver->routed);
    case IDS_PF_SYNC_END:
        if (!receiver->begun || receiver->ended ||
            frame->number > receiver->routed)
            return false;
        receiver->ended = true;
        receiver->end_batch = receiver->batch_next;
        return true;
    case IDS_PF_HELLO:
    case IDS_PF_PROOF:
    case IDS_PF_WELCOME:
    case IDS_PF_START:
    case IDS_PF_ACK:
    case IDS_PF_ADMIT:
    case IDS_PF_SWITCHOVER:
    case IDS_PF_DETACHED:
    case IDS_PF_HEARTBEAT:
    case IDS_PF_REFUSE:
    case IDS_PF_SETTINGS:
    case IDS_PF_KEYS:
    case IDS_PF_HISTORY:
    case IDS_PF_KIND_COUNT:
        break;
    }
    return false;
}

void ids_receiver_applied(ids_receiver *receiver, uint64_t batch) {
    if (batch < receiver->batch_first || batch >= receiver->batch_next ||
        batch_at(receiver, batch)->waiting == 0)
        return;
    assert(batch_at(receiver, batch)->last <= receiver->routed);
    batch_at(receiver, batch)->waiting--;
    advance_applied(receiver);
}
