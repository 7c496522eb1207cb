/* SPDX-License-Identifier: Apache-2.0 */
/* detect.h -- which protocol the first bytes of a connection are, and a word to
 * whoever took this port for another one. */
#ifndef IDS_DETECT_H
#define IDS_DETECT_H

#include "server/peer/magic.h"

#include <stddef.h>
#include <stdint.h>

typedef enum ids_first {
    IDS_FIRST_REQUEST, /* it can begin a MessagePack-RPC request */
    IDS_FIRST_PEER,    /* another server's magic, whole */
    IDS_FIRST_PARTIAL, /* more bytes will tell, 16 at the latest */
    IDS_FIRST_STRANGER /* whoever that is, *answer is for them */
} ids_first;

/* Who speaks, by the first len (1 or more) bytes of a connection. answer: what
 * a stranger is told, in its own protocol where that is HTTP or Redis, else
 * one line of text. Static storage. */
ids_first ids_detect_read(const uint8_t *bytes, size_t len,
                          const char **answer);

/* What HTTP hears here; and what it hears where it is served, at this address.
 */
extern const char ids_detect_no_http[];
#define IDS_DETECT_HTTP_BYTES 512
void ids_detect_http_at(char to[static IDS_DETECT_HTTP_BYTES], const char *at);

/* The line for a frame that begins as one of ours and then is none, before
 * there is a msgid to answer to. */
extern const char ids_detect_no_request[];

/* The line for another server where none is expected. */
extern const char ids_detect_no_peer[];

#endif
