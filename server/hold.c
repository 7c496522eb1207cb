/* hold.c -- the commit gate; see hold.h. */
#include "server/hold.h"

#include "server/log.h"

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

void ids_hold_bytes(ids_desk *desk, ids_conn *conn, size_t bytes) {
    ids_gated *first = &conn->gated[0], *second = &conn->gated[1];
    if (!first->bytes)
        list_append(desk, conn);
    if (!first->bytes || (!second->bytes && first->number == desk->changes)) {
        first->bytes += bytes;
        first->number = desk->changes;
    } else {
        second->bytes += bytes;
        second->number = desk->changes;
    }
}

void ids_hold_forget(ids_desk *desk, ids_conn *conn) {
    if (!conn->gated[0].bytes)
        return;
    list_remove(desk, conn);
    conn->gated[0] = conn->gated[1] = (ids_gated){0};
}

static void release_conn(ids_desk *desk, ids_conn *conn) {
    ids_gated *gated = conn->gated;
    if (gated[0].number > desk->watermark)
        return;
    gated[0] = gated[1];
    gated[1] = (ids_gated){0};
    if (gated[0].number <= desk->watermark)
        gated[0] = (ids_gated){0};
    if (!gated[0].bytes)
        list_remove(desk, conn);
    ids_desk_mark(desk, conn);
}

/* Parcels ------------------------------------------------------------------ */

ids_parcel *ids_hold_parcel(ids_desk *desk, uint32_t loop) {
    if (!ids_hold_is_needed(desk))
        return ids_desk_parcel(desk, loop);
    ids_gated_mail *gated = &desk->gated_mail[loop];
    uint32_t at = gated->parcel[0] &&
                  (gated->parcel[1] || gated->number[0] != desk->changes);
    if (!gated->parcel[at]) {
        gated->parcel[at] = ids_desk_new_parcel(desk);
        desk->gated_parcels += gated->parcel[at] != NULL;
    }
    gated->number[at] = desk->changes;
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

static void release_mail(ids_desk *desk, uint32_t loop) {
    ids_gated_mail *gated = &desk->gated_mail[loop];
    while (gated->parcel[0] && gated->number[0] <= desk->watermark) {
        if (!send_parcel(desk, loop, gated->parcel[0]))
            return; /* with the next release */
        desk->gated_parcels--;
        gated->parcel[0] = gated->parcel[1];
        gated->number[0] = gated->number[1];
        gated->parcel[1] = NULL;
    }
}

/* The gate ----------------------------------------------------------------- */

void ids_hold_release(ids_desk *desk, uint64_t watermark) {
    if (desk->shut)
        return;
    desk->watermark = watermark;
    for (ids_conn *conn = desk->gated_head, *next; conn; conn = next) {
        next = conn->next_gated;
        release_conn(desk, conn);
    }
    for (uint32_t i = 0; desk->gated_parcels && i < desk->house->loops; i++)
        release_mail(desk, i);
}

void ids_hold_all(ids_desk *desk) {
    desk->shut = true;
    desk->watermark = 0;
    desk->changes += desk->changes == 0;
}

void ids_hold_change(void *ctx, const ids_change *change) {
    ids_desk *desk = ctx;
    desk->changes = change->number;
    ids_journal_take(desk->journal, change);
    if (ids_journal_has_failed(desk->journal))
        ids_hold_all(desk);
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

ids_verdict ids_hold_call(ids_desk *desk, const ids_call *call,
                          idp_answer *answer, idp_error *error,
                          const char **text) {
    *text = NULL;
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
    return ids_shard_call(desk->shard, call, answer, error);
}
