/* SPDX-License-Identifier: Apache-2.0 */
/* course.c -- see course.h. Never sends twice what could count twice: a
 * repeated acquire has its first nonce, all else a token. */
#include "client/src/course.h"

#include <string.h>

#include "client/src/mem.h"

/* So often does one call go where NOT_PRIMARY sends it. Servers that still send
 * it on then don't know: the other endpoints are asked. */
#define HOPS_MAX 8u

/* A server that wants more is not waited for: no call lasts that long. */
#define RETRY_MS_MAX 100000000u

void idem__course_begin(idem__course *course, idem__selector *selector,
                        idp_method method, uint64_t now_ms, uint64_t timeout_ms,
                        uint32_t fast_ms, uint64_t seed) {
    *course = (idem__course){.selector = selector,
                             .start_ms = now_ms,
                             .deadline_ms = now_ms + timeout_ms,
                             .stop_at = IDEM__STOP_CALLS};
    course->is_change = idem__is_change(method);
    course->fast_ms = course->is_change ? fast_ms : 0;
    idem__backoff_init(&course->backoff, seed);
}

void idem__course_end(idem__course *course) {
    idem__free(course->refusal);
    course->refusal = NULL;
}

void idem__course_attempt(const idem__course *course, uint32_t wait_ms,
                          idem__attempt *attempt) {
    attempt->op.pending = false;
    attempt->op.deadline_ms = course->deadline_ms;
    attempt->sent = false;
    attempt->trimmed = false;
    attempt->is_change = course->is_change && wait_ms == 0;
    attempt->fast_ms = course->fast_ms;
    attempt->start_ms = course->start_ms;
    attempt->queued_ms = course->start_ms;
    attempt->serial = 0;
}

int32_t idem__course_may_go(idem__course *course, uint64_t now_ms,
                            idem_error *err) {
    idem__watch *watch = course->selector->watch;
    if (idem__selector_stops(course->selector, course->stop_at))
        return idem__fail(err, IDEM_E_CLOSED,
                          "the client was shut down; nothing was sent");
    if (course->fast_ms == 0 ||
        !atomic_load_explicit(&watch->changes_wait, memory_order_relaxed) ||
        idem__watch_may_try(watch, now_ms, course->fast_ms))
        return 0;
    idem__watch_count(watch, IDEM__COUNT_FAILED_FAST);
    return idem__fail(err, IDEM_E_CHANGES_WAIT,
                      "changes wait for the replica; nothing was sent. Ask "
                      "again later, or see idemctl replication");
}

/* The pause before the next attempt; false when the deadline is too near for
 * another. */
static bool pause_before_next(idem__course *course, uint64_t now_ms,
                              uint32_t *pause_ms) {
    uint64_t pause = idem__backoff_pause_ms(&course->backoff, 1);
    course->backoff.attempts++;
    if (now_ms >= course->deadline_ms)
        return false;
    uint64_t left_ms = course->deadline_ms - now_ms;
    /* An attempt that has no time would only tell that time was over. */
    if (left_ms < IDEM__PAUSE_MS_FIRST)
        return false;
    *pause_ms = (uint32_t)(pause > left_ms / 2 ? left_ms / 2 : pause);
    return true;
}

/* A server that goes down was the primary: what it says outweighs what others
 * say of themselves. */
static void note_refused(idem__course *course, int32_t code,
                         const idem_error *why) {
    if (course->refused == IDEM_E_SHUTTING_DOWN && code != course->refused)
        return;
    course->refused = code;
    if (course->refusal == NULL)
        course->refusal = idem__alloc(sizeof *course->refusal);
    if (course->refusal != NULL)
        *course->refusal = *why;
}

/* The primary can't confirm it. It may be about to, or be cut off and replaced
 * by now: it and the others are asked in turns. */
static void note_unreplicated(idem__course *course, uint64_t serial,
                              const char *endpoint) {
    idem__watch *watch = course->selector->watch;
    course->unsure = IDEM_E_UNREPLICATED;
    idem__watch_count(watch, IDEM__COUNT_UNREPLICATED);
    idem__watch_changes_wait(watch, endpoint);
    if (++course->unreplicated % 2 == 0)
        idem__selector_failed(course->selector, serial);
}

/* Servers may not have the same credentials yet. */
static bool may_be_let_in(idem__course *course, uint64_t serial,
                          const idem_error *why, uint64_t now_ms) {
    if (course->was_denied ||
        !idem__selector_denied(course->selector, serial, now_ms))
        return false;
    course->was_denied = true;
    note_refused(course, IDEM_E_DENIED, why);
    return true;
}

/* Whether another server, or this one a little later, may answer. */
static bool is_worth_another(idem__course *course, const idem__attempt *attempt,
                             int32_t code, const idem_error *why,
                             uint64_t now_ms) {
    idem__selector *selector = course->selector;
    switch (code) {
    case IDEM_E_LOST:
        if (attempt->sent && course->unsure == 0)
            course->unsure = IDEM_E_LOST;
        return !idem__selector_stops(selector, course->stop_at);
    case IDEM_E_NOT_PRIMARY:
        note_refused(course, code, why);
        if (course->hops++ < HOPS_MAX)
            idem__selector_redirect(selector, attempt->serial, why->primary);
        else
            idem__selector_failed(selector, attempt->serial);
        return true;
    case IDEM_E_SHUTTING_DOWN:
        note_refused(course, code, why);
        idem__selector_failed(selector, attempt->serial);
        return true;
    case IDEM_E_UNREPLICATED:
        note_unreplicated(course, attempt->serial, why->endpoint);
        return course->fast_ms == 0;
    case IDEM_E_DENIED:
        return may_be_let_in(course, attempt->serial, why, now_ms);
    default:
        return false;
    }
}

/* "LIMIT retry_ms=40 ...": a namespace's rate is used up for so long. 0: the
 * server does not say. */
static uint32_t retry_ms_of(const idem_error *why) {
    static const char word[] = " answered: LIMIT retry_ms=";
    const char *digit = strstr(why->text, word);
    uint32_t ms = 0;
    if (digit == NULL)
        return 0;
    for (digit += sizeof word - 1;
         *digit >= '0' && *digit <= '9' && ms < RETRY_MS_MAX; digit++)
        ms = ms * 10 + (uint32_t)(*digit - '0');
    return *digit == ' ' || *digit == '\0' ? ms : 0;
}

/* Not before the server has said, and then within as long again (full jitter):
 * who heard it together does not come back together. False: the deadline is
 * too near. */
static bool pause_for_rate(idem__course *course, uint32_t retry_ms,
                           uint64_t now_ms, uint32_t *pause_ms) {
    uint64_t left_ms =
        course->deadline_ms > now_ms ? course->deadline_ms - now_ms : 0;
    uint64_t bound =
        retry_ms > IDEM__PAUSE_MS_FIRST ? retry_ms : IDEM__PAUSE_MS_FIRST;
    uint64_t jitter = (idem__backoff_random(&course->backoff) >> 16) % bound;
    uint64_t spare;
    if (left_ms < retry_ms + (uint64_t)IDEM__PAUSE_MS_FIRST)
        return false;
    spare = left_ms - retry_ms - IDEM__PAUSE_MS_FIRST;
    *pause_ms = retry_ms + (uint32_t)(jitter < spare ? jitter : spare);
    return true;
}

bool idem__course_goes_on(idem__course *course, const idem__attempt *attempt,
                          int32_t code, const idem_error *why, uint64_t now_ms,
                          uint32_t *pause_ms) {
    *pause_ms = 0;
    uint32_t retry_ms = code == IDEM_E_LIMIT ? retry_ms_of(why) : 0;
    bool again =
        retry_ms > 0 || is_worth_another(course, attempt, code, why, now_ms);
    /* Where it was lost the link pauses before it connects again. */
    if (retry_ms > 0)
        again = pause_for_rate(course, retry_ms, now_ms, pause_ms) &&
                !idem__selector_stops(course->selector, course->stop_at);
    else if (again && code != IDEM_E_LOST)
        again = pause_before_next(course, now_ms, pause_ms);
    if (again)
        idem__watch_count(course->selector->watch, IDEM__COUNT_REPEATS);
    return again;
}

/* Whether the end of a call whose last attempt was not even sent is rather what
 * the server said that was asked before. */
static bool is_for_refusal(const idem__course *course, int32_t code) {
    return course->refused == IDEM_E_SHUTTING_DOWN
               ? idem_error_assume(code) == IDEM_ASSUME_UNCHANGED
               : code == IDEM_E_TIMEOUT_UNSENT;
}

static int32_t conclude_course(const idem__course *course, int32_t code,
                               const idem_error *why, idem_error *err) {
    idem__where where = {why->endpoint, why->os_error};
    if (course->unsure != 0 && idem_error_assume(code) != IDEM_ASSUME_UNKNOWN)
        return idem__fail_at(err, course->unsure, where,
                             "an attempt of this call may have taken effect "
                             "(%s); ask again with the same nonce or token; "
                             "the last attempt: %.200s",
                             idem_error_text(course->unsure), why->text);
    if (course->refusal != NULL && is_for_refusal(course, code)) {
        code = course->refused;
        why = course->refusal;
        where = (idem__where){why->endpoint, why->os_error};
    }
    if (code == IDEM_E_NOT_PRIMARY) {
        idem__fail_at(err, code, where,
                      "no server was the primary before the deadline, and "
                      "the last one that was asked, %s, names %s; see "
                      "idemctl replication",
                      why->endpoint, *why->primary ? why->primary : "none");
        idem__error_primary(err, why->primary);
        return code;
    }
    idem__error_copy(err, why);
    return code;
}

int32_t idem__course_conclude(const idem__course *course, int32_t code,
                              const idem_error *why, uint64_t now_ms,
                              idem_error *err) {
    idem__watch *watch = course->selector->watch;
    code = conclude_course(course, code, why, err);
    if (course->fast_ms != 0 &&
        (code == IDEM_E_TIMEOUT || code == IDEM_E_UNREPLICATED))
        idem__watch_try_later(watch, now_ms + course->fast_ms);
    if (code == IDEM_E_TIMEOUT)
        idem__watch_count(watch, IDEM__COUNT_TIMEOUTS);
    return code;
}

/* Only what was changed tells that changes are confirmed. */
void idem__course_answered(const idem__course *course, int32_t outcome) {
    if (course->is_change &&
        (outcome == 0 || outcome == IDEM_ACQUIRED ||
         outcome == IDEM_COMPLETED || outcome == IDEM_RELEASED ||
         outcome == IDEM_RENEWED))
        idem__watch_changes_go_on(course->selector->watch);
}
