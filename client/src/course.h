/* SPDX-License-Identifier: Apache-2.0 */
/* course.h -- one call with all its attempts: what is asked again, where and
 * when, and what its end lets the caller assume.
 *
 * Pure: time is an argument, attempts are its driver's (a thread of client.c,
 * or async_call.c's loop). proto/README.md, "What is asked again, with what",
 * is what it follows. */
#ifndef IDEM_COURSE_H
#define IDEM_COURSE_H

#include "client/src/link.h"

typedef struct idem__course {
    idem__selector *selector;
    uint64_t start_ms;
    uint64_t deadline_ms;
    idem__stop stop_at;
    uint32_t fast_ms; /* 0: it waits for the replica until its deadline */
    bool is_change;
    int32_t refused; /* SHUTTING_DOWN, NOT_PRIMARY or DENIED: that is why the
                      * servers that were asked have not answered it, */
    int32_t unsure; /* LOST or UNREPLICATED: an attempt may have taken effect */
    bool was_denied;       /* by one server: another one is asked once */
    uint32_t hops;         /* where NOT_PRIMARY sent it on */
    uint32_t unreplicated; /* attempts that ended so */
    idem_error *refusal;   /* and said so; NULL without memory for it */
    idem__backoff backoff; /* between refusals that are tried again */
} idem__course;

/* timeout_ms: of the whole call, its wait included. fast_ms: the URI's, 0 where
 * the call is to wait all the same. */
void idem__course_begin(idem__course *course, idem__selector *selector,
                        idp_method method, uint64_t now_ms, uint64_t timeout_ms,
                        uint32_t fast_ms, uint64_t seed);
void idem__course_end(idem__course *course);

/* What the course wants of its next attempt; the driver sets the rest. */
void idem__course_attempt(const idem__course *course, uint32_t wait_ms,
                          idem__attempt *attempt);

/* Whether an attempt may be made at all: 0, CLOSED or CHANGES_WAIT. */
int32_t idem__course_may_go(idem__course *course, uint64_t now_ms,
                            idem_error *err);

/* The attempt has ended with that code and why. True: another is to be made,
 * pause_ms from now. False: the call is over, see idem__course_conclude. */
bool idem__course_goes_on(idem__course *course, const idem__attempt *attempt,
                          int32_t code, const idem_error *why, uint64_t now_ms,
                          uint32_t *pause_ms);

/* What the call ends with, and err: an attempt that may have taken effect
 * outweighs what a later one says. */
int32_t idem__course_conclude(const idem__course *course, int32_t code,
                              const idem_error *why, uint64_t now_ms,
                              idem_error *err);
/* It was answered; outcome 0: not known. */
void idem__course_answered(const idem__course *course, int32_t outcome);

#endif
