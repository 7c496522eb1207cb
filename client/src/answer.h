/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h -- what was answered, from the wire's terms to the caller's. */
#ifndef IDEM_ANSWER_H
#define IDEM_ANSWER_H

#include "client/include/idemclient.h"
#include "proto/reply.h"

/* Reads a reply that is no error as what method answers. view's result
 * borrows from the reply. IDEM_E_GARBLED when it is not that. */
int32_t idem__answer_read(idp_method method, const idp_reply *reply,
                          idem_answer *view);

/* A caller's answer, of whatever size, as one of ours; its memory stays the
 * caller's. */
idem_answer idem__answer_own(const idem_answer *theirs);

/* Whether a caller's answer can be filled; NULL can (nothing is). */
int32_t idem__answer_check(const idem_answer *answer, idem_error *err);

/* Empties it for a new call; its memory stays. NULL is allowed. */
void idem__answer_clear(idem_answer *answer);

/* Says what the acquire was asked with, in an answer of the library's own size
 * or a caller's; ptr NULL: nothing. */
void idem__answer_nonce(idem_answer *answer, idp_slice nonce);

/* Copies view, its result too, into the caller's answer; on IDEM_E_MEMORY
 * that stays clear. */
int32_t idem__answer_copy(idem_answer *answer, const idem_answer *view);

#endif
