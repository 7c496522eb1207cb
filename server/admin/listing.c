/* SPDX-License-Identifier: Apache-2.0 */
/* listing.c -- see listing.h. */
#include "server/admin/listing.h"

#include "proto/list.h"
#include "proto/reply.h"
#include "server/admin/walks.h"

#include <assert.h>
#include <string.h>

/* A page ---------------------------------------------------------------- */

typedef struct making {
    const ids_worker *worker;
    const ids_walk *walk;
    idp_list_page page;
} making;

/* Rows of namespaces that the viewer may read, and no others. */
static bool wants(void *ctx, const ids_sight *sight) {
    const making *m = ctx;
    const ids_walk *walk = m->walk;
    return (walk->state == IDP_STATE_ABSENT || walk->state == sight->state) &&
           sight->age_ms >= walk->older_ms &&
           ids_paged_shows(&walk->paged, sight->ns, sight->key);
}

static idp_slice user_of(const ids_worker *worker, uint32_t by) {
    if (!by || !worker->server->holders)
        return (idp_slice){0};
    idp_slice user = ids_holders_user(worker->server->holders, by);
    return user.len ? user : (idp_slice){0};
}

/* Its slices are the record's: nothing is called before the page is written. */
static void seen(void *ctx, const ids_sight *sight) {
    making *m = ctx;
    assert(m->page.row_count < IDP_LIST_ROWS_MAX);
    m->page.rows[m->page.row_count++] =
        (idp_list_row){.ns = sight->ns,
                       .key = sight->key,
                       .state = sight->state,
                       .age_ms = sight->age_ms,
                       .attempt = sight->attempt,
                       .lease_left_ms = sight->lease_left_ms,
                       .ttl_left_ms = sight->ttl_left_ms,
                       .user = user_of(m->worker, sight->by)};
}

/* Through the table. False: this worker's records are through. */
static bool walk_listing_on(ids_worker *worker, making *m, uint64_t *position) {
    uint32_t buckets = ids_worker_is_asked(worker) ? IDS_LIST_BUCKETS_ASKED
                                                   : IDS_LIST_BUCKETS_MAX;
    ids_scan scan = {.position = *position,
                     .buckets_max = buckets,
                     .room = IDP_LIST_ROWS_MAX,
                     .wants = wants,
                     .seen = seen,
                     .ctx = m};
    bool goes_on = ids_shard_scan(worker->shard, worker->now_ms, &scan);
    ids_worker_worked(worker, IDS_WORK_SERVE, buckets - scan.buckets_max, 0);
    *position = scan.position;
    return goes_on;
}

/* Those that the last scan has found to be the oldest, as they are now: what
 * became of them meanwhile may be something else. */
static bool take_oldest(ids_worker *worker, making *m, uint64_t *position) {
    const ids_scanned *last = worker->scanner.last;
    ids_stuck kind = m->walk->state == IDP_STATE_ORPHANED ? IDS_STUCK_ORPHANED
                                                          : IDS_STUCK_CLAIMED;
    ids_sight sight;
    m->page.has_scan = last && last->ended_ms;
    if (!m->page.has_scan)
        return false;
    m->page.scan_age_ms = worker->now_ms - last->ended_ms;
    for (; *position < last->oldest_count[kind]; ++*position) {
        if (m->page.row_count == IDP_LIST_ROWS_MAX)
            return true;
        if (ids_shard_look(worker->shard, last->oldest[kind][*position].hash,
                           worker->now_ms, &sight) &&
            wants(m, &sight))
            seen(m, &sight);
    }
    return false;
}

static bool write_page(const making *m, uint32_t msgid, idp_bytes *frame) {
    size_t bound = idp_list_page_write_bound(&m->page);
    if (!idp_bytes_reserve(frame, bound))
        return false;
    frame->len = idp_list_page_write(frame->ptr, frame->cap, msgid, &m->page);
    return true;
}

static bool write_over(ids_worker *worker, uint32_t msgid, idp_bytes *frame) {
    if (!idp_bytes_reserve(frame, IDP_ERROR_REPLY_BYTES_MAX))
        return false;
    frame->len =
        idp_error_write(frame->ptr, frame->cap, msgid, IDP_E_BAD_REQUEST,
                        "cursor: this walk is over; begin anew");
    ids_worker_refuses(worker, IDP_E_BAD_REQUEST);
    return true;
}

bool ids_listing_page(ids_worker *worker, const ids_look *look,
                      idp_bytes *frame) {
    ids_walks *walks = worker->server->walks;
    uint32_t msgid = look->request->msgid;
    char cursor[IDS_CURSOR_BYTES] = "";
    ids_walk walk;
    if (!ids_walks_find(walks, look->word, &walk))
        return write_over(worker, msgid, frame);
    making m = {.worker = worker, .walk = &walk};
    ids_walk_at next = walk.at;
    bool goes_on = walk.oldest ? take_oldest(worker, &m, &next.position)
                               : walk_listing_on(worker, &m, &next.position);
    if (!goes_on)
        next = (ids_walk_at){.loop = walk.at.loop + 1};
    bool is_over = next.loop >= worker->server->loops;
    ids_walks_went(walks, look->word, &next, is_over, cursor);
    if (!is_over)
        m.page.cursor = (idp_slice){(const uint8_t *)cursor, strlen(cursor)};
    bool written = write_page(&m, msgid, frame);
    ids_paged_drop(&walk.paged);
    return written;
}

/* One record ------------------------------------------------------------ */

static idp_slice text_of(const char *text) {
    return *text ? (idp_slice){(const uint8_t *)text, strlen(text)}
                 : (idp_slice){0};
}

static void tell_holder(const ids_worker *worker, const ids_look *look,
                        uint32_t by, ids_holder *holder, idp_by *told) {
    if (!by || !worker->server->holders)
        return;
    ids_holders_get(worker->server->holders, by, holder);
    told->user = text_of(holder->user);
    told->client = text_of(holder->client);
    if (look->flags & (IDS_MESSAGE_MAY_RESOLVE | IDS_MESSAGE_MAY_ADMIN))
        told->address = text_of(holder->from);
}

static void fill_inspected(const ids_change *change, const ids_look *look,
                           idp_inspected *one) {
    *one = (idp_inspected){
        .state = change->state,
        .age_ms = change->age_ms,
        .attempt = change->attempt,
        .previous = change->previous,
        .lease_ms = change->lease_ms,
        .lease_left_ms = change->lease_left_ms,
        .ttl_ms = change->ttl_ms,
        .ttl_left_ms = change->ttl_left_ms,
        .fingerprint = change->fingerprint,
        .class = change->class,
        .has_result = change->has_result,
        .result_bytes = change->result.len,
        .has_token = (look->flags & IDS_MESSAGE_MAY_RESOLVE) != 0,
        .token = change->token,
    };
    if (one->has_token && change->has_result)
        one->result = change->result;
}

bool ids_listing_inspect(ids_worker *worker, const ids_look *look,
                         idp_bytes *frame) {
    const ids_call call = {
        .request = look->request, .hash = look->word, .now_ms = worker->now_ms};
    idp_inspected one = {.state = IDP_STATE_ABSENT};
    ids_change change;
    ids_holder holder;
    if (ids_shard_inspect(worker->shard, &call, &change)) {
        fill_inspected(&change, look, &one);
        tell_holder(worker, look, change.by, &holder, &one.by);
    }
    size_t bound = idp_inspected_write_bound(&one);
    if (!idp_bytes_reserve(frame, bound))
        return false;
    frame->len =
        idp_inspected_write(frame->ptr, frame->cap, look->request->msgid, &one);
    return true;
}
