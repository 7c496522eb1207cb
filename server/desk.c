/* SPDX-License-Identifier: Apache-2.0 */
/* desk.c -- one loop's place of work: its shard, its connections, its mail. */
#include "server/desk.h"

#include "proto/owner.h"
#include "server/hold.h"
#include "server/hop.h"
#include "server/log.h"
#include "server/peer/mutant.h"
#include "server/peer/peer.h"
#include "server/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* An asker is loop, slot and generation, in this order. */
#define SLOT_BITS         22
#define GENERATION_BITS   32
#define SLOTS_MAX         (1u << SLOT_BITS)
#define NO_SLOT           UINT32_MAX
/* So many tokens a loop may grant in one epoch. */
#define SEQUENCE_BITS     48
/* A parcel that grew larger than this is not kept for the next time. */
#define PARCEL_BYTES_KEPT (256u << 10)
/* So many calls a ms are more than somebody who looks whether it is there. */
#define ASKED_A_MS        5u
#define ASKED_MS          10

static_assert(IDP_SHARDS_MAX <= 1u << (64 - SLOT_BITS - GENERATION_BITS),
              "a loop's index fits into an asker");
static_assert(IDP_SHARDS_MAX <= 1u << (64 - SEQUENCE_BITS),
              "and before a token's sequence");

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    const ids_house *house = ctx;
    uint32_t owner;
    return ids_house_hash(house, ns, key, &owner);
}

uint64_t ids_desk_sequence(uint32_t index) {
    return (uint64_t)index << SEQUENCE_BITS;
}

ids_asker ids_desk_asker(uint32_t index) {
    return (ids_asker)index << (SLOT_BITS + GENERATION_BITS);
}

static void plan_shard(ids_desk *desk, const ids_desk_config *config) {
    const ids_house *house = config->house;
    desk->shard_config = (ids_shard_config){
        .epoch = house->epoch,
        .sequence = ids_desk_sequence(config->index),
        .memory_bytes_max = config->memory_bytes_max,
        .result_bytes_max = house->result_bytes_max,
        .waiters_per_key_max = config->waiters_per_key_max,
        .waiters_max = config->waiters_max,
        .clock_cut_ms = IDS_RULE_OFF(WHOLE_MS) ? 0 : config->clock_cut_ms,
        .mem = config->mem,
        .hash = hash_of,
        .hash_ctx = (void *)(uintptr_t)house,
        .mix_key = house->mix_key,
        .work = &desk->work[IDS_WORK_WAKE],
        .on_wake = ids_reply_woken,
        .wake_ctx = desk,
        .on_change =
            config->is_kept || config->is_replicated ? ids_hold_change : NULL,
        .change_ctx = desk,
    };
}

static bool allocate(ids_desk *desk) {
    const ids_house *house = desk->house;
    desk->input = malloc(IDS_INPUT_HEADROOM + IDS_INPUT_BYTES);
    desk->outgoing = calloc(house->loops, sizeof(ids_parcel *));
    desk->outgoing_to = calloc(house->loops, sizeof(uint32_t));
    desk->gated_mail = calloc(house->loops, sizeof *desk->gated_mail);
    desk->shard =
        ids_pools_new_shard(desk->house->pools, &desk->shard_config, 0);
    return desk->input && desk->outgoing && desk->outgoing_to &&
           desk->gated_mail && desk->shard;
}

ids_desk *ids_desk_new(const ids_desk_config *config) {
    ids_desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return NULL;
    desk->house = config->house;
    desk->index = config->index;
    desk->host = config->host;
    desk->slots_free = NO_SLOT;
    /* Who keeps changes safe has not said anything yet. */
    desk->watermark = config->is_kept || config->is_replicated ? 0 : UINT64_MAX;
    plan_shard(desk, config);
    if (!allocate(desk)) {
        ids_desk_free(desk);
        return NULL;
    }
    desk->serving = (ids_serving){
        .lead_epoch = UINT64_MAX, .epoch = config->house->epoch, .in_sync = 1};
    if (config->is_replicated) {
        desk->serving.stance = IDS_FOLLOWS;
        ids_peer_prepare_copy(desk->shard);
    }
    desk->epoch_end = ids_serving_epoch_end(&desk->serving);
    return desk;
}

void ids_desk_free(ids_desk *desk) {
    if (!desk)
        return;
    assert(desk->counters.of[IDS_CONNECTIONS] == 0);
    for (uint32_t i = 0; desk->outgoing && i < desk->house->loops; i++)
        ids_parcel_free(desk->outgoing[i]);
    for (uint32_t i = 0; desk->gated_mail && i < desk->house->loops; i++) {
        ids_bytes_free(&desk->gated_mail[i].parcel.mail);
    }
    while (desk->spare_parcels)
        ids_parcel_free(desk->spare_parcel[--desk->spare_parcels]);
    while (desk->spare_inputs)
        ids_bytes_free(&desk->spare_input[--desk->spare_inputs]);
    while (desk->spare_buffers)
        ids_bytes_free(&desk->spare_buffer[--desk->spare_buffers]);
    ids_inquiries_fini(desk);
    ids_parcel_free(desk->opened);
    ids_bytes_free(&desk->held);
    ids_bytes_free(&desk->woken.others);
    ids_tap_fini(&desk->tap);
    ids_copy_fini(desk);
    ids_pools_free_shard(desk->house->pools, desk->shard);
    free(desk->gated_mail);
    free(desk->outgoing_to);
    free(desk->outgoing);
    free(desk->slots);
    free(desk->input);
    free(desk);
}

/* Connections ------------------------------------------------------------ */

static bool grow_slots(ids_desk *desk) {
    uint32_t cap = desk->slots_cap ? desk->slots_cap * 2 : 64;
    if (cap > SLOTS_MAX)
        return false;
    ids_slot *slots = realloc(desk->slots, cap * sizeof *slots);
    if (!slots)
        return false;
    memset(slots + desk->slots_cap, 0, (cap - desk->slots_cap) * sizeof *slots);
    desk->slots = slots;
    desk->slots_cap = cap;
    return true;
}

static bool take_slot(ids_desk *desk, ids_conn *conn) {
    uint32_t at = desk->slots_free;
    if (at != NO_SLOT) {
        desk->slots_free = desk->slots[at].next_free;
    } else {
        if (desk->slots_used == desk->slots_cap && !grow_slots(desk))
            return false;
        at = desk->slots_used++;
    }
    desk->slots[at].conn = conn;
    conn->slot = at;
    conn->asker = (ids_asker)desk->index << (SLOT_BITS + GENERATION_BITS) |
                  (ids_asker)at << GENERATION_BITS | desk->slots[at].generation;
    return true;
}

bool ids_desk_adopt(ids_desk *desk, ids_conn *conn) {
    if (!take_slot(desk, conn))
        return false;
    bool moved = conn->life == IDS_CONN_MOVING;
    if (!moved)
        conn->admitted = !desk->house->secret.len && !conn->surplus;
    if (moved)
        ids_conn_become(conn, IDS_CONN_SERVED);
    desk->buffered_bytes += conn->in.len;
    desk->counters.of[IDS_CONNECTIONS]++;
    desk->counters.of[IDS_CONNECTIONS_TOTAL] += !moved;
    desk->host.adopt(desk->host.ctx, conn);
    if (moved)
        ids_reply_hello(desk, conn, conn->move_msgid);
    if (conn->in.len)
        ids_conn_resume(desk, conn);
    return true;
}

void ids_desk_forget(ids_desk *desk, ids_conn *conn) {
    if (!conn->waiting)
        return;
    conn->waiting = 0;
    ids_shard_forget(desk->shard, conn->asker);
    const ids_mail mail = {.asker = conn->asker, .kind = IDS_MAIL_FORGET};
    for (uint32_t loop = 0; loop < desk->house->loops; loop++) {
        if (loop == desk->index)
            continue;
        ids_parcel *parcel = ids_desk_parcel(desk, loop);
        if (parcel)
            ids_mail_append(parcel, &mail, NULL);
    }
}

static void unmark(ids_desk *desk, ids_conn *conn) {
    ids_list_remove(&desk->dirty, &conn->in_dirty);
    conn->dirty = false;
}

void ids_desk_drop(ids_desk *desk, ids_conn *conn) {
    ids_slot *slot = &desk->slots[conn->slot];
    assert(slot->conn == conn);
    if (conn->dirty)
        unmark(desk, conn);
    ids_hop_send_on(desk, conn);
    ids_hop_leave_line(desk, conn);
    desk->hops -= conn->hopped;
    ids_desk_forget(desk, conn);
    desk->buffered_bytes -= conn->in.len + conn->hopped_bytes;
    ids_reply_forget(desk, conn);
    slot->conn = NULL;
    slot->generation++;
    slot->next_free = desk->slots_free;
    desk->slots_free = conn->slot;
    desk->counters.of[IDS_CONNECTIONS]--;
}

ids_conn *ids_desk_find(const ids_desk *desk, ids_asker asker) {
    uint32_t at = (uint32_t)(asker >> GENERATION_BITS) & (SLOTS_MAX - 1);
    if (ids_asker_loop(asker) != desk->index || at >= desk->slots_used ||
        desk->slots[at].generation != (uint32_t)asker)
        return NULL;
    return desk->slots[at].conn;
}

void ids_desk_mark(ids_desk *desk, ids_conn *conn) {
    if (conn->dirty)
        return;
    conn->dirty = true;
    ids_list_append(&desk->dirty, &conn->in_dirty);
}

ids_conn *ids_desk_next_dirty(ids_desk *desk) {
    ids_conn *conn = IDS_LIST_FIRST(ids_conn, in_dirty, &desk->dirty);
    if (!conn || !ids_desk_may(desk, IDS_WORK_SEND))
        return NULL;
    unmark(desk, conn);
    return conn;
}

/* Mail -------------------------------------------------------------------- */

ids_parcel *ids_desk_new_parcel(ids_desk *desk) {
    return desk->spare_parcels ? desk->spare_parcel[--desk->spare_parcels]
                               : ids_parcel_new();
}

void ids_desk_set_outgoing(ids_desk *desk, uint32_t loop, ids_parcel *parcel) {
    assert(!desk->outgoing[loop]);
    desk->outgoing[loop] = parcel;
    desk->outgoing_to[desk->outgoing_count++] = loop;
}

ids_parcel *ids_desk_parcel(ids_desk *desk, uint32_t loop) {
    ids_parcel *parcel = desk->outgoing[loop];
    assert(loop != desk->index);
    if (parcel)
        return parcel;
    parcel = ids_desk_new_parcel(desk);
    if (parcel)
        ids_desk_set_outgoing(desk, loop, parcel);
    return parcel;
}

bool ids_desk_post(ids_desk *desk) {
    uint32_t left = 0;
    if (desk->inquirers)
        ids_inquiries_turn(desk);
    for (uint32_t i = 0; i < desk->outgoing_count; i++) {
        uint32_t loop = desk->outgoing_to[i];
        bool wake;
        if (!ids_mailbox_post(&desk->house->mailboxes[loop],
                              desk->outgoing[loop], &wake)) {
            desk->outgoing_to[left++] = loop;
            continue;
        }
        desk->outgoing[loop] = NULL;
        desk->counters.of[IDS_HOP_PARCELS_TOTAL]++;
        if (wake)
            desk->house->wake(desk->house->wake_ctx, loop);
    }
    desk->outgoing_count = left;
    return left == 0;
}

void ids_desk_recycle(ids_desk *desk, ids_parcel *parcel) {
    if (desk->spare_parcels == IDS_SPARE_PARCELS ||
        parcel->mail.cap > PARCEL_BYTES_KEPT) {
        ids_parcel_free(parcel);
        return;
    }
    parcel->mail.len = 0;
    desk->spare_parcel[desk->spare_parcels++] = parcel;
}

/* The next parcel, or what is left of one. */
static bool open_mail(ids_desk *desk) {
    if (!desk->opened) {
        desk->opened = ids_mailbox_take(&desk->house->mailboxes[desk->index]);
        desk->opened_at = 0;
    }
    return desk->opened != NULL;
}

void ids_desk_take_mail(ids_desk *desk) {
    desk->mailed_bytes = 0;
    while (ids_desk_may(desk, IDS_WORK_MAIL) && open_mail(desk)) {
        ids_desk_worked(desk, IDS_WORK_MAIL, 1, 0);
        if (!ids_hop_open(desk, desk->opened, &desk->opened_at))
            return;
        ids_desk_recycle(desk, desk->opened);
        desk->opened = NULL;
    }
}

static bool mail_word(ids_desk *desk, uint32_t loop, ids_mail_kind kind,
                      uint64_t word) {
    const ids_mail mail = {.word = word, .kind = (uint8_t)kind};
    ids_parcel *parcel = ids_desk_parcel(desk, loop);
    return parcel && ids_mail_append(parcel, &mail, NULL);
}

bool ids_desk_give(ids_desk *desk, ids_conn *conn, uint32_t loop) {
    if (loop == desk->index)
        return ids_desk_adopt(desk, conn);
    return mail_word(desk, loop, IDS_MAIL_GIVE, (uint64_t)(uintptr_t)conn);
}

void ids_desk_tell_others(ids_desk *desk, ids_notice notice) {
    for (uint32_t loop = 0; loop < desk->house->loops; loop++)
        if (loop != desk->index &&
            !mail_word(desk, loop, IDS_MAIL_NOTICE, (uint64_t)notice))
            ids_log(IDS_LOG_ERROR, "notice lost: out of memory", NULL);
}

/* The whole ---------------------------------------------------------------- */

void ids_desk_begin_turn(ids_desk *desk) {
    uint32_t work = 0;
    for (int kind = 0; kind < IDS_WORK_KINDS; kind++)
        work += desk->work[kind];
    if (work > desk->counters.of[IDS_TURN_WORK_MAX])
        desk->counters.of[IDS_TURN_WORK_MAX] = work;
    memset(desk->work, 0, sizeof desk->work);
    if (desk->for_room.head)
        ids_hop_serve_line(desk);
}

size_t ids_desk_read_max(const ids_desk *desk) {
    size_t share = desk->house->buffer_bytes_max;
    if (desk->buffered_bytes <= share / 2)
        return IDS_INPUT_BYTES;
    if (desk->buffered_bytes <= share / 4 * 3 || !desk->for_room.head)
        return IDS_INPUT_BYTES_LOW;
    return 0;
}

bool ids_desk_has_more(const ids_desk *desk) {
    return desk->drains_waiters || desk->opened || desk->dirty.head ||
           ids_hold_has_more(desk) ||
           (desk->inquirers && ids_inquiries_have_more(desk));
}

void ids_desk_tick(ids_desk *desk, uint32_t steps_max) {
    ids_hop_tick(desk);
    if (desk->drains_waiters)
        desk->drains_waiters = !ids_shard_drain(
            desk->shard, IDP_E_SHUTTING_DOWN, IDS_TIMERS_A_CALL * 4);
    ids_desk_worked(desk, IDS_WORK_DUE, steps_max, 0);
    ids_shard_tick(desk->shard, desk->now_ms, steps_max);
    ids_reply_woken_end(desk);
}

uint64_t ids_desk_next_ms(const ids_desk *desk) {
    uint64_t shard_ms = ids_shard_next_ms(desk->shard);
    uint64_t hop_ms = ids_hop_next_ms(desk);
    if (desk->drains_waiters)
        return desk->now_ms;
    if (desk->for_room.head && desk->now_ms + 1 < hop_ms)
        hop_ms = desk->now_ms + 1;
    return shard_ms < hop_ms ? shard_ms : hop_ms;
}

void ids_desk_drain(ids_desk *desk) {
    desk->draining = desk->drains_waiters = true;
    ids_orders_drain(desk);
}

bool ids_desk_is_asked(ids_desk *desk) {
    uint64_t asked = ids_desk_asked(desk);
    uint64_t ms = desk->now_ms - desk->asked_since_ms;
    if (ms < ASKED_MS)
        return desk->is_asked;
    desk->is_asked = asked - desk->asked >= ASKED_A_MS * ms;
    desk->asked = asked;
    desk->asked_since_ms = desk->now_ms;
    return desk->is_asked;
}

/* What has come or is about to leave, and is in no other count. */
static size_t mail_bytes(const ids_desk *desk) {
    const ids_house *house = desk->house;
    size_t bytes = ids_mailbox_bytes(&house->mailboxes[desk->index]);
    for (uint32_t i = 0; i < house->loops; i++) {
        bytes += desk->outgoing[i] ? desk->outgoing[i]->mail.len : 0;
        bytes += desk->gated_mail[i].parcel.mail.len - desk->gated_mail[i].at;
    }
    return bytes;
}

void ids_desk_count(const ids_desk *desk, ids_counters *counters) {
    ids_shard_stats stats;
    ids_shard_stats_get(desk->shard, &stats);
    *counters = desk->counters;
    uint64_t *of = counters->of;
    if (desk->index == 0) { /* the process's */
        of[IDS_LOG_LINES_LOST_TOTAL] = ids_log_lost();
        of[IDS_LOG_LINES_HELD_TOTAL] = ids_log_held_back();
    }
    of[IDS_BUFFERED_BYTES] = desk->buffered_bytes + mail_bytes(desk);
    of[IDS_HELD_REPLIES] = desk->held_replies;
    of[IDS_RECORDS] = stats.records;
    of[IDS_WAITERS] = stats.waiters;
    of[IDS_MEMORY_BYTES] = stats.memory_bytes;
    if (desk->index == 0 || !desk->house->pools)
        of[IDS_MEMORY_BYTES_MAX] = stats.memory_bytes_max;
    of[IDS_CHANGES_TOTAL] = desk->changes ? desk->changes : stats.changes;
    of[IDS_EXPIRED_TOTAL] = stats.expired;
    of[IDS_RESULTS_DROPPED_TOTAL] = stats.results_dropped;
    for (int i = 0; i < IDP_OUTCOME_COUNT; i++)
        of[IDS_OUTCOME_ACQUIRED_TOTAL + i] = stats.outcomes[i];
    if (desk->copy.aside) {
        ids_shard_stats_get(desk->copy.aside, &stats);
        of[IDS_MEMORY_BYTES] += stats.memory_bytes;
    }
}
