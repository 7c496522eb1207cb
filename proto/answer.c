/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c -- what was decided, as the wire says it: encode and decode.
 *
 * Pure. Writing is one check of room, then stores. Reading takes what it
 * knows by position and leaves what later versions append. */
#include "proto/reply.h"

#include "proto/cursor.h"
#include "proto/put.h"
#include "proto/scan.h"

/* The largest answer but for its result is a record's: its map comes to 115
 * bytes, with the state's name and the frame 137. */
#define ANSWER_FIXED_BYTES_MAX 160

size_t idp_answer_write_bound(const idp_answer *answer) {
    bool carries = answer->outcome == IDP_OUTCOME_REPLAY && answer->has_result;
    return ANSWER_FIXED_BYTES_MAX + (carries ? answer->result.len : 0);
}

static uint8_t *class_put(uint8_t *to, idp_class class) {
    return class == IDP_CLASS_ERROR ? put_word(to, "error")
                                    : put_word(to, "success");
}

static uint8_t *acquired_put(uint8_t *to, const idp_answer *a) {
    to = put_token(put_word(put_array(to, 5), "acquired"), a->token);
    to = put_uint(to, a->attempt);
    to = a->previous == IDP_PREVIOUS_NONE
             ? put_word(to, "none")
             : put_word(to, idp_previous_name(a->previous));
    return put_uint(to, a->lease_ms);
}

static uint8_t *replay_put(uint8_t *to, const idp_answer *a) {
    to = put_word(put_array(to, 5), "replay");
    to = a->has_result ? put_bin(to, a->result) : put_nil(to);
    to = class_put(to, a->class);
    return put_uint(put_uint(to, a->age_ms), a->ttl_left_ms);
}

static uint8_t *in_progress_put(uint8_t *to, const idp_answer *a) {
    to = put_uint(put_word(put_array(to, 4), "in_progress"), a->lease_left_ms);
    return put_uint(put_uint(to, a->attempt), a->age_ms);
}

static uint8_t *orphaned_put(uint8_t *to, const idp_answer *a) {
    to = put_uint(put_word(put_array(to, 3), "orphaned"), a->age_ms);
    return put_uint(to, a->attempt);
}

/* completed, for less long than was asked for. */
static uint8_t *shortened_put(uint8_t *to, const idp_answer *a) {
    to = put_bool(put_word(put_array(to, 3), "completed"), a->kept);
    return put_uint(to, a->ttl_ms);
}

/* peek. Which of the map's keys are there follows from the state. */
static uint8_t *record_put(uint8_t *to, const idp_answer *a) {
    if (a->state == IDP_STATE_ABSENT) {
        return put_word(put_array(to, 1), "absent");
    }
    bool running = a->state == IDP_STATE_IN_PROGRESS;
    bool done = a->state == IDP_STATE_COMPLETED;
    to = put_word(put_array(to, 2), idp_state_name(a->state));
    to = put_map(to, done ? 5 : running ? 4 : 3);
    to = put_uint(put_word(to, "age_ms"), a->age_ms);
    to = put_uint(put_word(to, "attempt"), a->attempt);
    if (running) {
        to = put_uint(put_word(to, "lease_left_ms"), a->lease_left_ms);
    }
    to = put_uint(put_word(to, "ttl_left_ms"), a->ttl_left_ms);
    if (done) {
        to = put_word(to, "result_bytes");
        to = a->has_result ? put_uint(to, a->result_bytes) : put_nil(to);
        to = class_put(put_word(to, "class"), a->class);
    }
    return to;
}

static uint8_t *answer_put(uint8_t *to, const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        return acquired_put(to, a);
    case IDP_OUTCOME_REPLAY:
        return replay_put(to, a);
    case IDP_OUTCOME_IN_PROGRESS:
        return in_progress_put(to, a);
    case IDP_OUTCOME_MISMATCH:
        to = put_word(put_array(to, 2), "mismatch");
        return put_word(to, idp_state_name(a->state));
    case IDP_OUTCOME_ORPHANED:
        return orphaned_put(to, a);
    case IDP_OUTCOME_COMPLETED:
        if (a->ttl_ms > 0) {
            return shortened_put(to, a);
        }
        return put_bool(put_word(put_array(to, 2), "completed"), a->kept);
    case IDP_OUTCOME_RELEASED:
        return put_word(put_array(to, 1), "released");
    case IDP_OUTCOME_RENEWED:
        return put_uint(put_word(put_array(to, 2), "renewed"), a->lease_ms);
    case IDP_OUTCOME_STALE:
        to = put_word(put_array(to, 2), "stale");
        return put_word(to, idp_state_name(a->state));
    case IDP_OUTCOME_UNKNOWN:
        return put_word(put_array(to, 1), "unknown");
    case IDP_OUTCOME_RECORD:
        return record_put(to, a);
    case IDP_OUTCOME_DELETED:
        return put_word(put_array(to, 1), "deleted");
    case IDP_OUTCOME_REFUSED:
        to = put_word(put_array(to, 2), "refused");
        return put_word(to, idp_state_name(a->state));
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
        to = put_word(put_array(to, 3), idp_outcome_name(a->outcome));
        return put_uint(put_uint(to, a->records), a->running);
    case IDP_OUTCOME_COUNT:
        break;
    }
    return NULL;
}

size_t idp_answer_write(uint8_t *to, size_t cap, uint32_t msgid,
                        const idp_answer *answer) {
    if (cap < idp_answer_write_bound(answer)) {
        return 0;
    }
    uint8_t *at = answer_put(put_reply_head(to, msgid), answer);
    return at ? (size_t)(at - to) : 0;
}

/* Reading --------------------------------------------------------------- */

/* The place of slice in a list of words, or -1. */
static int word_find(idp_slice slice, const char *const words[], int count) {
    for (int i = 0; i < count; i++) {
        if (slice_is(slice, words[i])) {
            return i;
        }
    }
    return -1;
}

#define X(name, text) text,
static const char *const states[] = {IDP_STATES(X)};
static const char *const outcomes[] = {IDP_OUTCOMES(X)};
#undef X

static bool state_find(idp_slice word, idp_state *state) {
    int at = word_find(word, states, IDP_STATE_COUNT);
    *state = (idp_state)(at < 0 ? 0 : at);
    return at >= 0;
}

static bool answer_state_read(cursor *c, idp_answer *a) {
    idp_slice word;
    return cursor_bytes(c, &word) && state_find(word, &a->state);
}

static bool answer_class_read(cursor *c, idp_answer *a) {
    idp_slice word;
    if (!cursor_bytes(c, &word)) {
        return false;
    }
    a->class = slice_is(word, "error") ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
    return a->class == IDP_CLASS_ERROR || slice_is(word, "success");
}

static bool acquired_read(cursor *c, idp_answer *a) {
    static const char *const words[] = {"none", "orphaned", "released"};
    idp_slice word;
    if (!cursor_token(c, &a->token) || !cursor_u32(c, &a->attempt) ||
        !cursor_bytes(c, &word)) {
        return false;
    }
    int at = word_find(word, words, 3);
    a->previous = (idp_previous)(at < 0 ? 0 : at);
    return at >= 0 && cursor_uint(c, &a->lease_ms);
}

static bool replay_read(cursor *c, idp_answer *a) {
    a->has_result = !cursor_nil(c);
    if (a->has_result && !cursor_bytes(c, &a->result)) {
        return false;
    }
    a->result_bytes = a->result.len;
    return answer_class_read(c, a) && cursor_uint(c, &a->age_ms) &&
           cursor_uint(c, &a->ttl_left_ms);
}

static bool in_progress_read(cursor *c, idp_answer *a) {
    return cursor_uint(c, &a->lease_left_ms) && cursor_u32(c, &a->attempt) &&
           cursor_uint(c, &a->age_ms);
}

static bool record_pair_read(cursor *c, idp_answer *a) {
    idp_slice name;
    if (!cursor_bytes(c, &name)) {
        return false;
    }
    if (slice_is(name, "age_ms")) {
        return cursor_uint(c, &a->age_ms);
    }
    if (slice_is(name, "attempt")) {
        return cursor_u32(c, &a->attempt);
    }
    if (slice_is(name, "lease_left_ms")) {
        return cursor_uint(c, &a->lease_left_ms);
    }
    if (slice_is(name, "ttl_left_ms")) {
        return cursor_uint(c, &a->ttl_left_ms);
    }
    if (slice_is(name, "result_bytes")) {
        a->has_result = !cursor_nil(c);
        return !a->has_result || cursor_uint(c, &a->result_bytes);
    }
    return slice_is(name, "class") ? answer_class_read(c, a) : idp_skip(c);
}

static bool record_read(cursor *c, uint32_t count, idp_slice word,
                        idp_answer *a) {
    a->outcome = IDP_OUTCOME_RECORD;
    if (!state_find(word, &a->state)) {
        return false;
    }
    if (a->state == IDP_STATE_ABSENT) {
        return true;
    }
    uint32_t pairs;
    if (count < 2 || !cursor_map(c, &pairs)) {
        return false;
    }
    for (; pairs > 0; pairs--) {
        if (!record_pair_read(c, a)) {
            return false;
        }
    }
    return true;
}

/* How many items an outcome's array has at least, by the method that may
 * answer it; 0: that method never does. */
static uint32_t items_min(idp_method method, idp_outcome outcome) {
    static const uint8_t items[IDP_METHOD_COUNT][IDP_OUTCOME_COUNT] = {
        [IDP_ACQUIRE] = {[IDP_OUTCOME_ACQUIRED] = 5,
                         [IDP_OUTCOME_REPLAY] = 5,
                         [IDP_OUTCOME_IN_PROGRESS] = 4,
                         [IDP_OUTCOME_MISMATCH] = 2,
                         [IDP_OUTCOME_ORPHANED] = 3},
        [IDP_COMPLETE] = {[IDP_OUTCOME_COMPLETED] = 2,
                          [IDP_OUTCOME_STALE] = 2,
                          [IDP_OUTCOME_UNKNOWN] = 1},
        [IDP_RELEASE] = {[IDP_OUTCOME_RELEASED] = 1,
                         [IDP_OUTCOME_STALE] = 2,
                         [IDP_OUTCOME_UNKNOWN] = 1},
        [IDP_RENEW] = {[IDP_OUTCOME_RENEWED] = 2,
                       [IDP_OUTCOME_STALE] = 2,
                       [IDP_OUTCOME_UNKNOWN] = 1},
        [IDP_RESOLVE] = {[IDP_OUTCOME_COMPLETED] = 2,
                         [IDP_OUTCOME_RELEASED] = 1,
                         [IDP_OUTCOME_DELETED] = 1,
                         [IDP_OUTCOME_STALE] = 2,
                         [IDP_OUTCOME_REFUSED] = 2,
                         [IDP_OUTCOME_UNKNOWN] = 1},
        [IDP_ERASE] = {[IDP_OUTCOME_ERASED] = 3, [IDP_OUTCOME_COUNTED] = 3},
    };
    return items[method][outcome];
}

static bool fields_read(cursor *c, uint32_t count, idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        return acquired_read(c, a);
    case IDP_OUTCOME_REPLAY:
        return replay_read(c, a);
    case IDP_OUTCOME_IN_PROGRESS:
        return in_progress_read(c, a);
    case IDP_OUTCOME_ORPHANED:
        return cursor_uint(c, &a->age_ms) && cursor_u32(c, &a->attempt);
    case IDP_OUTCOME_COMPLETED:
        return cursor_bool(c, &a->kept) &&
               (count < 3 || cursor_uint(c, &a->ttl_ms));
    case IDP_OUTCOME_RENEWED:
        return cursor_uint(c, &a->lease_ms);
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
        return cursor_uint(c, &a->records) && cursor_uint(c, &a->running);
    case IDP_OUTCOME_MISMATCH:
    case IDP_OUTCOME_STALE:
    case IDP_OUTCOME_REFUSED:
        return answer_state_read(c, a);
    case IDP_OUTCOME_RELEASED:
    case IDP_OUTCOME_UNKNOWN:
    case IDP_OUTCOME_DELETED:
    case IDP_OUTCOME_RECORD:
    case IDP_OUTCOME_COUNT:
        break;
    }
    return true;
}

bool idp_answer_read(idp_method method, idp_slice result, idp_answer *answer) {
    cursor c = cursor_over(result);
    uint32_t count;
    idp_slice word;
    clear(answer, sizeof *answer);
    if (method >= IDP_METHOD_COUNT || !cursor_array(&c, &count) || count < 1 ||
        !cursor_bytes(&c, &word)) {
        return false;
    }
    if (method == IDP_PEEK) {
        return record_read(&c, count, word, answer);
    }
    int at = word_find(word, outcomes, IDP_OUTCOME_COUNT);
    if (at < 0 || items_min(method, (idp_outcome)at) == 0 ||
        count < items_min(method, (idp_outcome)at)) {
        return false;
    }
    answer->outcome = (idp_outcome)at;
    return fields_read(&c, count, answer);
}
