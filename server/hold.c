/* hold.c -- the commit gate; see hold.h. */
#include "server/hold.h"

#include "server/log.h"
#include "server/recall.h"

#include <assert.h>

/* Connections ------------------------------------------------------------- */

static void list_append(ids_desk *desk, ids_conn *conn) {
    conn->prev_gated = desk->gated_tail;
    conn->next_gated = NULL;
    if (desk->gated_tail)
        desk->gated_tail->next_gated = conn;
    else
        desk->gated_head = conn;
    desk->gated_tail = conn;
}

static void list_remove(ids_desk *desk, ids_conn *conn) {
    if (conn->prev_gated)
        conn->prev_gated->next_gated = conn->next_gated;
    else
        desk->gated_head = conn->next_gated;
    if (conn->next_gated)
        conn->next_gated->prev_gated = conn->prev_gated;
    else
        desk->gated_tail = conn->prev_gated;
}

static void note_since(ids_desk *desk, uint64_t since_ms) {
    if (since_ms < desk->held_since_ms)
        desk->held_since_ms = since_ms;
}

void ids_hold_bytes(ids_desk *desk, ids_conn *conn, size_t bytes,
                    ids_showing shows) {
    ids_gated *first = &conn->gated[0], *second = &conn->gated[1];
    ids_gated *part = second;
    if (shows == IDS_SHOWS_NOTHING && !desk->shut) {
        if (!first->bytes)
            return;
        part = second->bytes ? second : first;
    } else {
        if (!first->bytes)
            list_append(desk, conn);
        if (!first->bytes || (!second->bytes && first->number == desk->changes))
            part = first;
        part->number = desk->changes;
    }
    if (!part->bytes) {
        part->since_ms = desk->now_ms;
        note_since(desk, part->since_ms);
    }
    part->bytes += bytes;
    part->replies++;
    desk->held_replies++;
}

void ids_hold_forget(ids_desk *desk, ids_conn *conn) {
    if (!conn->gated[0].bytes)
        return;
    list_remove(desk, conn);
    desk->held_replies -= conn->gated[0].replies + conn->gated[1].replies;
    conn->gated[0] = conn->gated[1] = (ids_gated){0};
}

/* The first part is held no longer. */
static void drop_part(ids_desk *desk, ids_conn *conn) {
    ids_gated *gated = conn->gated;
    desk->held_replies -= gated[0].replies;
    gated[0] = gated[1];
    gated[1] = (ids_gated){0};
    if (!gated[0].bytes)
        list_remove(desk, conn);
    ids_desk_mark(desk, conn);
}

static void release_conn(ids_desk *desk, ids_conn *conn) {
    const ids_gated *first = &conn->gated[0];
    while (first->bytes && first->number <= desk->watermark)
        drop_part(desk, conn);
    if (first->bytes)
        note_since(desk, first->since_ms);
}

static void fail_conn(ids_desk *desk, ids_conn *conn, uint64_t since_ms,
                      const ids_recall *recall) {
    const ids_gated *first = &conn->gated[0];
    while (first->bytes && first->since_ms <= since_ms) {
        ids_recall_part(desk, conn, recall);
        drop_part(desk, conn);
    }
    if (first->bytes)
        note_since(desk, first->since_ms);
}

/* Parcels ------------------------------------------------------------------ */

ids_parcel *ids_hold_parcel(ids_desk *desk, uint32_t loop, ids_showing shows) {
    if (!ids_hold_is_needed(desk) ||
        (shows == IDS_SHOWS_NOTHING && !desk->shut))
        return ids_desk_parcel(desk, loop);
    ids_gated_mail *gated = &desk->gated_mail[loop];
    uint32_t at = gated->parcel[0] &&
                  (gated->parcel[1] || gated->number[0] != desk->changes);
    if (!gated->parcel[at]) {
        gated->parcel[at] = ids_desk_new_parcel(desk);
        if (!gated->parcel[at])
            return NULL;
        gated->since_ms[at] = desk->now_ms;
        note_since(desk, desk->now_ms);
        desk->gated_parcels++;
    }
    gated->number[at] = desk->changes;
    gated->replies[at]++;
    desk->held_replies++;
    return gated->parcel[at];
}

/* Puts the parcel among the outgoing ones. False: no memory, it stays. */
static bool send_parcel(ids_desk *desk, uint32_t loop, ids_parcel *parcel) {
    if (!desk->outgoing[loop]) {
        ids_desk_set_outgoing(desk, loop, parcel);
        return true;
    }
    if (!ids_bytes_append(&desk->outgoing[loop]->mail, parcel->mail.ptr,
                          parcel->mail.len))
        return false;
    ids_desk_recycle(desk, parcel);
    return true;
}

/* False: no memory, it stays. */
static bool send_part(ids_desk *desk, uint32_t loop) {
    ids_gated_mail *gated = &desk->gated_mail[loop];
    if (!send_parcel(desk, loop, gated->parcel[0]))
        return false;
    desk->gated_parcels--;
    desk->held_replies -= gated->replies[0];
    gated->parcel[0] = gated->parcel[1];
    gated->number[0] = gated->number[1];
    gated->since_ms[0] = gated->since_ms[1];
    gated->replies[0] = gated->replies[1];
    gated->parcel[1] = NULL;
    gated->replies[1] = 0;
    return true;
}

/* What finds no memory goes with the next release. */
static void release_mail(ids_desk *desk, uint32_t loop) {
    const ids_gated_mail *gated = &desk->gated_mail[loop];
    while (gated->parcel[0] && gated->number[0] <= desk->watermark &&
           send_part(desk, loop))
        ;
    if (gated->parcel[0])
        note_since(desk, gated->since_ms[0]);
}

/* A parcel that was failed and finds no memory keeps its errors: they may
 * leave at any time. */
static void fail_mail(ids_desk *desk, uint32_t loop, uint64_t since_ms,
                      idp_error error) {
    ids_gated_mail *gated = &desk->gated_mail[loop];
    while (gated->parcel[0] && gated->since_ms[0] <= since_ms) {
        ids_recall_mail(gated->parcel[0], error);
        gated->number[0] = 0;
        if (!send_part(desk, loop))
            break;
    }
    if (gated->parcel[0])
        note_since(desk, gated->since_ms[0]);
}

/* The gate ----------------------------------------------------------------- */

void ids_hold_release(ids_desk *desk, uint64_t watermark) {
    if (desk->shut)
        return;
    desk->watermark = watermark;
    desk->held_since_ms = UINT64_MAX;
    for (ids_conn *conn = desk->gated_head, *next; conn; conn = next) {
        next = conn->next_gated;
        release_conn(desk, conn);
    }
    for (uint32_t i = 0; desk->gated_parcels && i < desk->house->loops; i++)
        release_mail(desk, i);
}

void ids_hold_fail(ids_desk *desk, uint64_t since_ms, idp_error error,
                   const char *text) {
    const ids_recall recall = {.error = error, .text = text};
    if (desk->shut)
        return;
    desk->held_since_ms = UINT64_MAX;
    for (ids_conn *conn = desk->gated_head, *next; conn; conn = next) {
        next = conn->next_gated;
        fail_conn(desk, conn, since_ms, &recall);
    }
    for (uint32_t i = 0; desk->gated_parcels && i < desk->house->loops; i++)
        fail_mail(desk, i, since_ms, error);
}

void ids_hold_all(ids_desk *desk) {
    desk->shut = true;
    desk->watermark = 0;
    desk->changes += desk->changes == 0;
}

static void keep(ids_desk *desk, const ids_change *change) {
    ids_journal_take(desk->journal, change);
    if (ids_journal_has_failed(desk->journal))
        ids_hold_all(desk);
}

/* The desk counts, not the shard: one count for all that its journal keeps,
 * its own changes and another node's, whichever shard is in place. */
void ids_hold_change(void *ctx, const ids_change *change) {
    ids_desk *desk = ctx;
    ids_change numbered = *change;
    numbered.number = ++desk->changes;
    if (desk->tap.is_on) {
        ids_tap_take(&desk->tap, numbered.number, &numbered);
        if (ids_tap_is_high(&desk->tap))
            desk->host.tap_is_high(desk->host.ctx);
    }
    if (desk->journal)
        keep(desk, &numbered);
}

void ids_hold_put(ids_desk *desk, const ids_change *change) {
    if (!desk->journal)
        return;
    ids_change numbered = *change;
    numbered.number = ++desk->changes;
    keep(desk, &numbered);
}

static void mark_stalled(ids_desk *desk) {
    for (uint32_t i = 0; i < desk->slots_used; i++)
        if (desk->slots[i].conn && desk->slots[i].conn->stalled)
            ids_desk_mark(desk, desk->slots[i].conn);
}

void ids_hold_set_full(ids_desk *desk, bool full) {
    bool was = desk->full;
    desk->full = full;
    if (was && !full)
        mark_stalled(desk);
}

/* Claims that are not taken -------------------------------------------------
 */

/* Whether the acquire would make a claim, rather than hear of another's. */
static bool would_claim(ids_desk *desk, const ids_call *call) {
    idp_request peek = {
        .method = IDP_PEEK, .ns = call->request->ns, .key = call->request->key};
    ids_call look = *call;
    idp_answer answer = {0};
    idp_error error;
    look.request = &peek;
    ids_verdict verdict = ids_shard_call(desk->shard, &look, &answer, &error);
    assert(verdict == IDS_ANSWERED);
    (void)verdict;
    return answer.state == IDP_STATE_ABSENT ||
           answer.state == IDP_STATE_RELEASED ||
           (answer.state == IDP_STATE_ORPHANED &&
            call->request->on_orphan == IDP_TAKEOVER);
}

static const char *too_many_waiters(const ids_desk *desk) {
    ids_shard_stats stats;
    ids_shard_stats_get(desk->shard, &stats);
    return stats.waiters >= desk->shard_config.waiters_max
               ? "too many acquires wait (--max-waiters)"
               : "too many acquires wait for this key (--max-waiters-per-key)";
}

ids_verdict ids_hold_call(ids_desk *desk, const ids_call *call,
                          idp_answer *answer, idp_error *error,
                          const char **text) {
    *text = NULL;
    if (call->request->token.epoch >= desk->epoch_end) {
        *error = ids_serving_refuses(&desk->serving, call->request, text);
        if (*error != IDP_OK)
            return IDS_REFUSED;
    }
    if (call->request->method == IDP_ACQUIRE &&
        (desk->disk_is_full || desk->now_ms < desk->claims_from_ms) &&
        would_claim(desk, call)) {
        *error = desk->disk_is_full ? IDP_E_NO_MEMORY : IDP_E_LIMIT;
        *text = desk->disk_is_full
                    ? "the disk is nearly full; the claim was not made"
                    : "no claims are taken for a while after an empty start "
                      "(--hold-claims); ask again";
        return IDS_REFUSED;
    }
    ids_verdict verdict = ids_shard_call(desk->shard, call, answer, error);
    if (verdict == IDS_REFUSED && *error == IDP_E_LIMIT)
        *text = too_many_waiters(desk);
    return verdict;
}
