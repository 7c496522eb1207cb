/* SPDX-License-Identifier: Apache-2.0 */
/* error.h -- filling an idem_error, for the library's own files. */
#ifndef IDEM_ERROR_H
#define IDEM_ERROR_H

#include <stdbool.h>

#include "client/include/idemclient.h"
#include "proto/reply.h"

/* Where an error happened. */
typedef struct idem__where {
    const char *endpoint; /* NULL: none was involved */
    int os_error;         /* errno, or 0 */
} idem__where;

/* Writes err (NULL is allowed) with a sentence, and returns code. */
int32_t idem__fail(idem_error *err, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an argument that is wrong: IDEM_E_ARGUMENT. */
int32_t idem__fault(idem_error *err, const char *text);
int32_t idem__fail_at(idem_error *err, int32_t code, idem__where where,
                      const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The public code of an error reply, and its sentence; NOT_PRIMARY's address
 * goes to err->primary. */
int32_t idem__fail_reply(idem_error *err, const char *endpoint,
                         const idp_reply *reply);

/* The same for what the server said of the connection itself. */
int32_t idem__fail_said(idem_error *err, const char *endpoint, idp_error said,
                        const char *text);

/* A server's words as a C string: what nobody would see in them, and what lies
 * outside of least..most, is told as a question mark. */
void idem__text_copy(char *to, size_t size, idp_slice from, uint8_t least,
                     uint8_t most);

/* Whether a server that is asked in vain, for that reason, will be the next
 * time, too. */
bool idem__is_final(int32_t code);

/* Adds to an error where the primary is: IDEM_ENDPOINT_BYTES bytes. */
void idem__error_primary(idem_error *err, const char *primary);

/* Adds to an error what the acquire was asked with; ptr NULL: nothing. */
void idem__error_nonce(idem_error *err, idp_slice nonce);

/* Hands an error on to a caller whose struct may be of another size. */
void idem__error_copy(idem_error *to, const idem_error *from);

#endif
