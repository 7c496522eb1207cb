/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c -- reading, copying and freeing answers. The one owner of
 * idem_answer's memory. */
#include "client/src/answer.h"

#include <stdbool.h>
#include <string.h>

#include "client/src/error.h"
#include "client/src/mem.h"
#include "client/src/sized.h"
#include "proto/put.h"

/* What an outcome says nothing of stays 0. */
static void translate_terms(const idp_answer *from, idem_answer *to) {
    bool has_class = from->outcome == IDP_OUTCOME_REPLAY ||
                     (from->outcome == IDP_OUTCOME_RECORD &&
                      from->state == IDP_STATE_COMPLETED);
    to->outcome = IDEM_ACQUIRED + (int32_t)from->outcome;
    if (from->outcome == IDP_OUTCOME_MISMATCH ||
        from->outcome == IDP_OUTCOME_STALE ||
        from->outcome == IDP_OUTCOME_RECORD)
        to->state = IDEM_STATE_ABSENT + (int32_t)from->state;
    if (from->outcome == IDP_OUTCOME_ACQUIRED)
        to->previous = IDEM_PREVIOUS_NONE + (int32_t)from->previous;
    if (has_class)
        to->result_class = IDEM_CLASS_SUCCESS + (int32_t)from->class;
}

static void translate(const idp_answer *from, idem_answer *to) {
    translate_terms(from, to);
    to->kept = from->kept;
    to->has_result = from->has_result;
    to->attempt = from->attempt;
    put_be64(to->token.bytes, from->token.epoch);
    put_be64(to->token.bytes + 8, from->token.sequence);
    to->lease_ms = from->lease_ms;
    to->lease_left_ms = from->lease_left_ms;
    to->age_ms = from->age_ms;
    to->ttl_left_ms = from->ttl_left_ms;
    to->result_bytes = from->result_bytes;
    if (from->has_result && from->outcome == IDP_OUTCOME_REPLAY) {
        to->result = from->result.ptr;
        to->result_len = from->result.len;
        to->result_bytes = from->result.len;
    }
}

int32_t idem__answer_read(idp_method method, const idp_reply *reply,
                          idem_answer *view) {
    *view = (idem_answer){.size = sizeof *view};
    if (method == IDP_PING) {
        view->outcome = IDEM_PONG;
        return idp_pong_read(reply->result) ? 0 : IDEM_E_GARBLED;
    }
    if (method == IDP_STATS) {
        view->outcome = IDEM_COUNTERS;
        view->result = reply->result.ptr;
        view->result_len = reply->result.len;
        return 0;
    }
    idp_answer answer = {0};
    if (!idp_answer_read(method, reply->result, &answer))
        return IDEM_E_GARBLED;
    translate(&answer, view);
    return 0;
}

int32_t idem__answer_check(const idem_answer *answer, idem_error *err) {
    if (answer == NULL)
        return 0;
    return idem__sized_check(&idem__answer_layout, answer, "answer", err);
}

idem_answer idem__answer_own(const idem_answer *theirs) {
    idem_answer own = {0};
    memcpy(&own, theirs,
           idem__sized_inside(&idem__answer_layout, theirs->size));
    own.size = sizeof own;
    return own;
}

/* Everything but the memory, of which the caller's struct is the owner. */
static void assign(idem_answer *answer, const idem_answer *from) {
    idem_answer own = *from;
    own.memory = answer->memory;
    own.memory_bytes = answer->memory_bytes;
    idem__sized_out(&idem__answer_layout, answer, &own);
}

void idem__answer_clear(idem_answer *answer) {
    static const idem_answer empty;
    if (answer != NULL)
        assign(answer, &empty);
}

static bool make_room_in_answer(idem_answer *answer, size_t bytes) {
    if (bytes <= answer->memory_bytes)
        return true;
    void *memory = idem__alloc(bytes);
    if (memory == NULL)
        return false;
    idem__free(answer->memory);
    answer->memory = memory;
    answer->memory_bytes = bytes;
    return true;
}

int32_t idem__answer_copy(idem_answer *answer, const idem_answer *view) {
    if (answer == NULL)
        return 0;
    idem__answer_clear(answer);
    if (!make_room_in_answer(answer, view->result_len))
        return IDEM_E_MEMORY;
    assign(answer, view);
    if (view->result == NULL)
        return 0;
    answer->result =
        view->result_len > 0 ? answer->memory : (const uint8_t *)"";
    if (view->result_len > 0)
        memcpy(answer->memory, view->result, view->result_len);
    return 0;
}

void idem__answer_nonce(idem_answer *answer, idp_slice nonce) {
    idem__sized_set_nonce(&idem__answer_layout, answer,
                          offsetof(idem_answer, nonce), nonce);
}

void idem_answer_fini(idem_answer *answer) {
    if (answer == NULL)
        return;
    if (idem__answer_check(answer, NULL) != 0)
        return;
    idem__free(answer->memory);
    answer->memory = NULL;
    answer->memory_bytes = 0;
    idem__answer_clear(answer);
}

int32_t idem_stats_next(const idem_answer *answer, size_t *at,
                        const char **name, size_t *name_len, uint64_t *value) {
    idp_slice word = {0};
    if (answer->outcome != IDEM_COUNTERS)
        return 0;
    idp_slice map = {answer->result, answer->result_len};
    if (!idp_stats_next(map, at, &word, value))
        return 0;
    *name = (const char *)word.ptr;
    *name_len = word.len;
    return 1;
}
