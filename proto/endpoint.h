/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h -- HOST:PORT, as flags, URIs and nodes write it, taken apart.
 *
 * Pure; the one reader of it. What a port that is not given means, whether 0
 * may be one, and which hosts are too long is the caller's to say. */
#ifndef IDP_ENDPOINT_H
#define IDP_ENDPOINT_H

#include "proto/terms.h"

typedef enum idp_endpoint_fault {
    IDP_ENDPOINT_SOUND,
    IDP_ENDPOINT_BRACKETS, /* a [ without its ], or something behind that */
    IDP_ENDPOINT_HIDDEN,   /* a byte below 0x21, or 0x7f */
    IDP_ENDPOINT_HOST,     /* a byte that is not ASCII, a bracket in a name */
    IDP_ENDPOINT_PORT      /* no number from 0 to 65535 */
} idp_endpoint_fault;

/* Borrows from the text. */
typedef struct idp_endpoint {
    idp_slice host; /* without its brackets; len 0: the text begins with : */
    idp_slice port; /* its digits; ptr NULL: there is no : */
    uint16_t number;
    bool bracketed;
} idp_endpoint;

/* HOST, HOST:PORT, [V6], [V6]:PORT or :PORT, whole; *to is filled only when
 * it is sound. A host with a : in it has to have brackets. */
idp_endpoint_fault idp_endpoint_read(const char *text, size_t len,
                                     idp_endpoint *to);

/* The host as a C string. False: it is empty, or longer than cap - 1. */
bool idp_endpoint_host_copy(const idp_endpoint *from, char *to, size_t cap);

#endif
