/* SPDX-License-Identifier: Apache-2.0 */
/* receiver.c -- see receiver.h. Pure. */
#include "server/peer/receiver.h"

#include "server/change.h"
#include "server/peer/mutant.h"

void ids_receiver_continue(ids_receiver *receiver, uint64_t behind) {
    receiver->syncing = receiver->begun = receiver->ended = false;
    receiver->told = false;
    receiver->routed = receiver->applied = behind;
    receiver->acked = 0;
    receiver->mark = behind;
    receiver->batch_first = receiver->batch_next;
}

void ids_receiver_sync(ids_receiver *receiver) {
    ids_receiver_continue(receiver, 0);
    receiver->copied = receiver->copy_total = 0;
    receiver->syncing = true;
}

static ids_batch_open *batch_at(ids_receiver *receiver, uint64_t batch) {
    return &receiver->batches[batch % IDS_BATCHES_MAX];
}

static void settle(ids_receiver *receiver) {
    while (receiver->batch_first < receiver->batch_next &&
           batch_at(receiver, receiver->batch_first)->waiting == 0) {
        receiver->applied = batch_at(receiver, receiver->batch_first)->last;
        receiver->batch_first++;
    }
}

/* The next changes of a body, from *at on. Returns how many; 0: one that makes
 * no sense: a token of a later epoch than the frame's, too. */
static uint32_t read_some(const ids_receiver *receiver, uint64_t epoch,
                          idp_slice body, size_t *at, uint64_t left,
                          ids_change changes[static IDS_ROUTE_MAX]) {
    uint32_t count = 0;
    for (; count < left && count < IDS_ROUTE_MAX; count++) {
        ids_change *change = &changes[count];
        size_t bytes = ids_change_read(body.ptr + *at, body.len - *at, change);
        if (bytes == 0 ||
            !ids_change_is_sound(change, receiver->result_bytes_max) ||
            change->token.epoch > epoch)
            return 0;
        *at += bytes;
        if (IDS_RULE_OFF(R10))
            change->nonce.len = 0;
    }
    return count;
}

/* The first so many changes of an append may be known already; none is
 * skipped and nothing that is there is taken back (R9). */
static bool open_frame(ids_receiver *receiver, const ids_pf *frame,
                       uint64_t skip, uint64_t last) {
    ids_change changes[IDS_ROUTE_MAX];
    ids_parcel_tag tag = {.session = frame->session,
                          .epoch = frame->epoch,
                          .batch = receiver->batch_next++,
                          .stream = receiver->stream,
                          .aside = receiver->syncing};
    ids_batch_open *batch = batch_at(receiver, tag.batch);
    size_t at = 0;
    *batch = (ids_batch_open){.last = last, .waiting = 1};
    for (uint64_t done = 0; done < frame->count;) {
        uint32_t count = read_some(receiver, frame->epoch, frame->body, &at,
                                   frame->count - done, changes);
        uint64_t known = skip > done ? skip - done : 0;
        if (count == 0)
            return false;
        done += count;
        if (known >= count)
            continue;
        count -= (uint32_t)known;
        batch->waiting += count;
        if (!receiver->route(receiver->ctx, &tag, changes + known, count))
            return false;
    }
    batch->waiting--;
    settle(receiver);
    return at == frame->body.len;
}

static bool append(ids_receiver *receiver, const ids_pf *frame) {
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
    receiver->routed = last;
    return open_frame(receiver, frame, skip, last);
}

bool ids_receiver_frame(ids_receiver *receiver, const ids_pf *frame) {
    if (ids_receiver_is_full(receiver))
        return false;
    switch (frame->kind) {
    case IDS_PF_APPEND:
        return append(receiver, frame);
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
               open_frame(receiver, frame, 0, receiver->routed);
    case IDS_PF_SYNC_END:
        if (!receiver->begun || receiver->ended ||
            frame->number > receiver->routed)
            return false;
        receiver->ended = true;
        receiver->end_batch = receiver->batch_next;
        return true;
    default:
        return false;
    }
}

void ids_receiver_applied(ids_receiver *receiver, uint64_t batch) {
    if (batch < receiver->batch_first || batch >= receiver->batch_next ||
        batch_at(receiver, batch)->waiting == 0)
        return;
    batch_at(receiver, batch)->waiting--;
    settle(receiver);
}
