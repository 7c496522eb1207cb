/* SPDX-License-Identifier: Apache-2.0 */
/* intake.c -- what came of another node, on its way to the shards; see
 * intake.h. */
#include "server/node/intake.h"

#include <assert.h>
#include <stdlib.h>

/* A buffer that grew larger than this is not kept for the next time. */
#define SPARE_BYTES_KEPT (4u << 20)

void ids_intake_fini(ids_intake *intake) {
    assert(intake->count == 0 && intake->inputs_count == 0);
    idp_bytes_free(&intake->spare);
    free(intake->bodies);
    free(intake->inputs);
    *intake = (ids_intake){0};
}

bool ids_intake_add(ids_intake *intake, const ids_body *body) {
    assert(intake->count <= intake->cap);
    assert(body->count >= body->skip);
    if (intake->count == intake->cap) {
        uint32_t cap = intake->cap == 0 ? IDS_BATCHES_MAX : 2 * intake->cap;
        ids_body *grown = realloc(intake->bodies, cap * sizeof *grown);
        if (grown == NULL)
            return false;
        intake->bodies = grown;
        intake->cap = cap;
    }
    intake->bodies[intake->count++] = *body;
    return true;
}

static bool hold_input(ids_intake *intake, ids_link *link) {
    assert(intake->inputs_count <= intake->inputs_cap);
    assert(intake->spare.len == 0);
    if (intake->inputs_count == intake->inputs_cap) {
        uint32_t cap = intake->inputs_cap == 0 ? 8 : 2 * intake->inputs_cap;
        idp_bytes *grown = realloc(intake->inputs, cap * sizeof *grown);
        if (grown == NULL)
            return false;
        intake->inputs = grown;
        intake->inputs_cap = cap;
    }
    if (!ids_link_take_input(link, &intake->spare))
        return false;
    intake->inputs[intake->inputs_count++] = intake->spare;
    intake->spare = (idp_bytes){0};
    assert(intake->inputs_count <= intake->inputs_cap);
    return true;
}

/* A link that is gone has taken its input with it, and with its session all
 * that was in it: nobody will be told that it was put. */
void ids_intake_read(ids_intake *intake, ids_peer *peer, ids_link **link,
                     idp_slice bytes, uint64_t now_ms) {
    uint32_t before = intake->count;
    ids_peer_input(peer, *link, bytes.ptr, bytes.len, now_ms);
    assert(intake->count >= before);
    if (intake->count == before)
        return;
    if (*link != NULL && hold_input(intake, *link))
        return;
    intake->count = before;
    if (*link != NULL)
        ids_peer_lost(peer, *link, now_ms);
}

void ids_intake_look(ids_intake *intake, const ids_peer *peer) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < intake->count; i++)
        if (ids_peer_is_current(peer, &intake->bodies[i].tag))
            intake->bodies[kept++] = intake->bodies[i];
    intake->count = kept;
    assert(intake->count <= intake->cap);
}

static bool put_intake(ids_worker *worker, ids_body *body) {
    ids_change changes[IDS_ROUTE_MAX];
    uint32_t count;
    assert(body->skip <= body->count);
    while ((count = ids_body_next(body, changes)) > 0)
        if (!ids_staging_route(worker, &body->tag, changes, count))
            return false;
    return ids_body_is_whole(body);
}

static void give_back_intake(ids_intake *intake, idp_bytes *input) {
    assert(input->len <= input->cap);
    input->len = 0;
    if (intake->spare.ptr == NULL && input->cap <= SPARE_BYTES_KEPT)
        intake->spare = *input;
    else
        idp_bytes_free(input);
}

/* Behind one that could not be put nothing is: its session ends. */
bool ids_intake_put(ids_intake *intake, ids_worker *worker) {
    bool had = intake->count > 0, good = true;
    assert(intake->count == 0 || intake->inputs_count > 0);
    for (uint32_t i = 0; good && i < intake->count; i++)
        good = put_intake(worker, &intake->bodies[i]);
    if (!good)
        ids_staging_spoil(worker);
    for (uint32_t i = 0; i < intake->inputs_count; i++)
        give_back_intake(intake, &intake->inputs[i]);
    intake->count = intake->inputs_count = 0;
    return had;
}
