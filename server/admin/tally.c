/* SPDX-License-Identifier: Apache-2.0 */
/* tally.c -- what each namespace has; see tally.h. */
#include "server/admin/tally.h"

#include "server/base/log.h"
#include "server/core/ns_limits.h"
#include "server/worker/forward.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A part that is so late was lost: a loop had no memory for it. */
#define ROUND_MS_MAX 10000

static idp_slice tally_slice_of(const ids_tally_name *name) {
    return (idp_slice){name->bytes, name->len};
}

static ids_tally_name tally_name_of(idp_slice ns) {
    ids_tally_name name = {.len = (uint32_t)ns.len};
    assert(ns.len <= sizeof name.bytes);
    if (ns.len)
        memcpy(name.bytes, ns.ptr, ns.len);
    return name;
}

/* One loop's part ---------------------------------------------------------- */

typedef struct walk {
    const ids_ns_limits_table *limits;
    uint32_t from; /* the first named one of the page */
    ids_tally_part *part;
} walk;

static void add_tally_counts(ids_ns_counts *to, const ids_ns_counts *more) {
    to->records += more->records;
    to->in_progress += more->in_progress;
    to->bytes += more->bytes;
    to->refused_full += more->refused_full;
    to->refused_rate += more->refused_rate;
    to->results_dropped += more->results_dropped;
}

static void see_counted_name(void *ctx, uint32_t number, idp_slice ns,
                             const ids_ns_counts *counts) {
    walk *w = ctx;
    bool found = false;
    uint32_t at =
        number == IDS_NS_OTHER ? 0 : ids_ns_limits_place(w->limits, ns, &found);
    if (!found)
        add_tally_counts(&w->part->others.counts, counts);
    else if (at >= w->from && at - w->from < w->part->row_count)
        add_tally_counts(&w->part->rows[at - w->from].counts, counts);
}

static uint32_t first_after_cursor(const ids_ns_limits_table *limits,
                                   const ids_tally_asker *asker) {
    bool found;
    if (!asker->has_after)
        return 0;
    uint32_t at =
        ids_ns_limits_place(limits, tally_slice_of(&asker->after), &found);
    return found ? at + 1 : at;
}

static void make_part(const ids_worker *worker, const ids_tally_asker *asker,
                      ids_tally_part *part) {
    const ids_ns_limits_table *limits = worker->shard_config.limits;
    memset(part, 0, sizeof *part);
    if (!limits)
        return;
    walk w = {limits, first_after_cursor(limits, asker), part};
    uint32_t left = limits->count - w.from;
    part->counts = true;
    part->is_behind = ids_shard_is_counting(worker->shard);
    part->has_more = left > IDP_NS_ROWS_MAX - 1;
    part->row_count = part->has_more ? IDP_NS_ROWS_MAX - 1 : left;
    for (uint32_t i = 0; i < part->row_count; i++) {
        const ids_named_limits *named = &limits->named[w.from + i];
        part->rows[i].ns = tally_name_of((idp_slice){named->ns, named->ns_len});
    }
    ids_shard_namespaces(worker->shard, see_counted_name, &w);
}

/* Parts together ----------------------------------------------------------- */

static int compare_tally_names(const ids_tally_name *a,
                               const ids_tally_name *b) {
    uint32_t len = a->len < b->len ? a->len : b->len;
    int order = len ? memcmp(a->bytes, b->bytes, len) : 0;
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* Loops may go by other limits for a moment: a row that one of them lacks is
 * put where it belongs. */
static void add_row(ids_tally_part *sum, const ids_tally_row *row) {
    uint32_t at = 0;
    while (at < sum->row_count &&
           compare_tally_names(&sum->rows[at].ns, &row->ns) < 0)
        at++;
    if (at < sum->row_count &&
        compare_tally_names(&sum->rows[at].ns, &row->ns) == 0) {
        add_tally_counts(&sum->rows[at].counts, &row->counts);
        return;
    }
    if (sum->row_count == IDP_NS_ROWS_MAX - 1) {
        sum->has_more = true;
        if (at == sum->row_count)
            return;
        sum->row_count--;
    }
    memmove(&sum->rows[at + 1], &sum->rows[at],
            (sum->row_count - at) * sizeof *sum->rows);
    sum->rows[at] = *row;
    sum->row_count++;
}

static void add_tally_part(ids_tally_part *sum, const ids_tally_part *part) {
    sum->counts |= part->counts;
    sum->is_behind |= part->is_behind;
    sum->has_more |= part->has_more;
    for (uint32_t i = 0; i < part->row_count; i++)
        add_row(sum, &part->rows[i]);
    add_tally_counts(&sum->others.counts, &part->others.counts);
}

/* The answer --------------------------------------------------------------- */

static idp_ns_row tally_row_of(idp_slice ns, const ids_ns_counts *counts,
                               const ids_ns_limits *limits) {
    return (idp_ns_row){.ns = ns,
                        .records = counts->records,
                        .in_progress = counts->in_progress,
                        .bytes = counts->bytes,
                        .refused_full = counts->refused_full,
                        .refused_rate = counts->refused_rate,
                        .results_dropped = counts->results_dropped,
                        .records_max = limits->records_max,
                        .bytes_max = limits->bytes_max,
                        .rate = limits->rate,
                        .burst = limits->burst,
                        .ttl_ms_max = limits->ttl_ms_max,
                        .result_bytes_max = limits->result_bytes_max};
}

static_assert(IDP_UNLIMITED == IDS_UNLIMITED, "no limit is none on the wire");

static void fill_page(const ids_worker *worker, const ids_tally_part *sum,
                      idp_ns_page *page) {
    const ids_ns_limits_table *limits = worker->shard_config.limits;
    *page = (idp_ns_page){.counts = sum->counts && limits,
                          .is_behind = sum->is_behind,
                          .has_more = sum->has_more};
    if (!page->counts)
        return;
    for (uint32_t i = 0; i < sum->row_count; i++) {
        const ids_tally_row *row = &sum->rows[i];
        bool found;
        idp_slice ns = tally_slice_of(&row->ns);
        uint32_t at = ids_ns_limits_place(limits, ns, &found);
        page->rows[page->row_count++] =
            tally_row_of(ns, &row->counts,
                         found ? &limits->named[at].limits : &limits->others);
    }
    if (!page->has_more)
        page->rows[page->row_count++] =
            tally_row_of((idp_slice){0}, &sum->others.counts, &limits->others);
}

static void answer_first(ids_tally *tally, ids_worker *worker) {
    const ids_tally_asker *first = &tally->askers[0];
    ids_conn *conn = ids_worker_find(worker, first->asker);
    bool is_whole = tally->left == 0 && tally->sum;
    idp_ns_page page;
    uint8_t *to;
    assert(tally->under_way && tally->asker_count > 0);
    if (conn)
        ids_forward_returned(worker, conn);
    if (conn && !is_whole) {
        ids_reply_error(worker, conn, first->msgid, IDP_E_NO_MEMORY, NULL);
    } else if (conn) {
        fill_page(worker, tally->sum, &page);
        to = ids_output_room(worker, conn, IDP_NS_PAGE_BYTES_MAX,
                             IDS_SHOWS_NOTHING);
        if (to)
            ids_output_put(worker, conn, first->msgid,
                           idp_ns_page_write(to, IDP_NS_PAGE_BYTES_MAX,
                                             first->msgid, &page),
                           IDS_SHOWS_NOTHING);
    }
    memmove(tally->askers, tally->askers + 1,
            --tally->asker_count * sizeof *tally->askers);
    tally->under_way = false;
}

/* Questions ---------------------------------------------------------------- */

static bool ask_loop_tally(ids_tally *tally, ids_worker *worker,
                           uint32_t loop) {
    const ids_message message = {.asker = ids_worker_asker(worker->index),
                                 .word = tally->number,
                                 .body_bytes = sizeof(ids_tally_asker),
                                 .kind = IDS_MESSAGE_TALLY};
    ids_message_batch *batch = ids_worker_batch(worker, loop);
    return batch && ids_message_append(batch, &message,
                                       (const uint8_t *)&tally->askers[0]);
}

static void begin_question(ids_tally *tally, ids_worker *worker) {
    tally->number++;
    tally->begun_ms = worker->now_ms;
    tally->under_way = true;
    tally->left = 0;
    if (!tally->sum)
        tally->sum = malloc(sizeof *tally->sum);
    if (!tally->sum)
        return;
    make_part(worker, &tally->askers[0], tally->sum);
    for (uint32_t loop = 0; loop < worker->server->loops; loop++)
        if (loop != worker->index) {
            tally->left++; /* one that can't be asked never tells */
            ask_loop_tally(tally, worker, loop);
        }
}

static bool tally_is_over(const ids_tally *tally, const ids_worker *worker) {
    return tally->under_way &&
           (tally->left == 0 ||
            worker->now_ms > tally->begun_ms + ROUND_MS_MAX);
}

bool ids_tally_turn(ids_tally *tally, ids_worker *worker) {
    if (tally_is_over(tally, worker))
        answer_first(tally, worker);
    if (!tally->under_way && tally->asker_count > 0)
        begin_question(tally, worker);
    if (tally_is_over(tally, worker))
        answer_first(tally, worker);
    return !tally->under_way && tally->asker_count > 0;
}

void ids_tally_fini(ids_tally *tally) {
    free(tally->sum);
    tally->sum = NULL;
}

void ids_tally_ask(ids_tally *tally, ids_worker *worker, ids_conn *conn,
                   const idp_request *request) {
    if (tally->asker_count == IDS_TALLY_ASKERS_MAX) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_LIMIT,
                        "too many ask for namespaces at once");
        return;
    }
    ids_tally_asker *last = &tally->askers[tally->asker_count++];
    *last = (ids_tally_asker){.asker = conn->asker,
                              .msgid = request->msgid,
                              .has_after = request->ns.ptr != NULL,
                              .after = tally_name_of(request->ns)};
    ids_forward_went(worker, conn);
}

/* Other loops -------------------------------------------------------------- */

void ids_tally_tell(ids_worker *worker, const ids_message *message,
                    const uint8_t *body) {
    ids_tally_asker asker;
    ids_tally_part part;
    ids_message reply = *message;
    assert(message->body_bytes == sizeof asker);
    memcpy(&asker, body, sizeof asker);
    make_part(worker, &asker, &part);
    reply.kind = IDS_MESSAGE_TALLIED;
    reply.body_bytes = sizeof part;
    ids_message_batch *batch =
        ids_worker_batch(worker, ids_asker_loop(message->asker));
    if (!batch || !ids_message_append(batch, &reply, (const uint8_t *)&part)) {
        worker->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "counts of namespaces lost: out of memory",
                NULL);
    }
}

void ids_tally_told(ids_tally *tally, const ids_message *message,
                    const uint8_t *body) {
    ids_tally_part part;
    if (message->word != tally->number || !tally->under_way)
        return; /* it was given up meanwhile */
    assert(tally->left > 0 && message->body_bytes == sizeof part);
    memcpy(&part, body, sizeof part);
    add_tally_part(tally->sum, &part);
    tally->left--;
}
