/* SPDX-License-Identifier: Apache-2.0 */
/* sized.h -- the public structs that may grow, and how much of a caller's the
 * library touches.
 *
 * A caller's struct is as long as its header said. Only whole fields inside of
 * that are read or written; a field is never halved, whatever size says. Pure.
 */
#ifndef IDEM_SIZED_H
#define IDEM_SIZED_H

#include "client/include/idemclient.h"
#include "client/include/idemclient_admin.h"
#include "client/include/idemclient_http.h"
#include "client/include/idemclient_look.h"
#include "client/include/idemclient_watch.h"
#include "proto/terms.h"

/* The library's own struct: where each of its fields ends, in order. */
typedef struct idem__layout {
    const char *name; /* "idem_args" */
    const uint16_t *ends;
    uint32_t ends_count;
    uint32_t least_bytes; /* a caller's struct has these at the least */
    uint32_t bytes;       /* of the library's struct */
} idem__layout;

extern const idem__layout idem__args_layout;
extern const idem__layout idem__answer_layout;
extern const idem__layout idem__error_layout;
extern const idem__layout idem__info_layout;
extern const idem__layout idem__tls_layout;
extern const idem__layout idem__status_layout;
extern const idem__layout idem__http_layout;
extern const idem__layout idem__http_answer_layout;
extern const idem__layout idem__http_request_layout;
extern const idem__layout idem__command_args_layout;
extern const idem__layout idem__command_answer_layout;
extern const idem__layout idem__replication_layout;
extern const idem__layout idem__list_args_layout;
extern const idem__layout idem__watch_args_layout;
extern const idem__layout idem__resolve_args_layout;
extern const idem__layout idem__erase_args_layout;
extern const idem__layout idem__erase_answer_layout;
extern const idem__layout idem__resolve_answer_layout;

/* The bytes of the library's struct that are whole fields of a caller's. */
size_t idem__sized_inside(const idem__layout *layout, uint32_t size);

/* Whether a caller's struct can be used at all; IDEM_E_ARGUMENT says what its
 * size should be. what: "args". NULL is not a struct. */
int32_t idem__sized_check(const idem__layout *layout, const void *theirs,
                          const char *what, idem_error *err);

/* Copies a caller's struct into our own, which is zero behind it.
 * IDEM_E_ARGUMENT: it can't be used, or has in it what this library does not
 * know. */
int32_t idem__sized_in(const idem__layout *layout, void *own,
                       const void *theirs, const char *what, idem_error *err);

/* Copies ours into a caller's, whose size stays. It was checked. */
void idem__sized_out(const idem__layout *layout, void *theirs, const void *own);

/* Writes what stands there in ours, if a caller's has all of it; NULL, and one
 * that can't be used, have nothing. */
void idem__sized_set(const idem__layout *layout, void *theirs, size_t at,
                     const void *from, size_t len);
/* The same for a nonce and its length behind it; ptr NULL: nothing. */
void idem__sized_set_nonce(const idem__layout *layout, void *theirs, size_t at,
                           idp_slice nonce);

#endif
