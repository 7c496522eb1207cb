/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h -- a reply: encode and decode, side by side.
 *
 * Pure, like request.h. Every reply starts with exactly 0x94 0x01. */
#ifndef IDP_REPLY_H
#define IDP_REPLY_H

#include "proto/error.h"
#include "proto/terms.h"

/* An upper bound of what idp_answer_write will need for this answer. */
size_t idp_answer_write_bound(const idp_answer *answer);

/* Writes [1, msgid, nil, answer] whole, or nothing. Returns its size; 0 when
 * cap is under the bound. The same holds for every write here. */
size_t idp_answer_write(uint8_t *to, size_t cap, uint32_t msgid,
                        const idp_answer *answer);

/* The same for an error: [1, msgid, "CODE text", nil]. text NULL takes the
 * code's default text, "" stands for the code alone; one over
 * IDP_ERROR_TEXT_BYTES_MAX is cut there. */
#define IDP_ERROR_TEXT_BYTES_MAX  200
#define IDP_ERROR_REPLY_BYTES_MAX (IDP_ERROR_TEXT_BYTES_MAX + 64)
size_t idp_error_write(uint8_t *to, size_t cap, uint32_t msgid, idp_error error,
                       const char *text);

/* A reply's first bytes, up to its msgid. The rest does not depend on that: it
 * is what any write here puts behind the first IDP_REPLY_BEGIN_ZERO_BYTES for
 * msgid 0. So replies to many requests may have one rest. */
#define IDP_REPLY_BEGIN_BYTES_MAX  7
#define IDP_REPLY_BEGIN_ZERO_BYTES 3
size_t idp_reply_begin_write(uint8_t to[static IDP_REPLY_BEGIN_BYTES_MAX],
                             uint32_t msgid);

/* "pong", a bare str. */
#define IDP_PONG_BYTES_MAX 16
size_t idp_pong_write(uint8_t *to, size_t cap, uint32_t msgid);

/* What hello answers. Text is NUL-terminated. */
typedef struct idp_hello {
    char server[16]; /* "idemstored" */
    char version[32];
    uint32_t protocol; /* IDP_PROTOCOL_VERSION */
    char role[16];     /* "primary" | "replica" */
    uint64_t epoch;
    uint32_t shards;
    uint32_t shard; /* the loop that this connection is on */
    uint8_t hash_key[IDP_HASH_KEY_BYTES];
    uint64_t result_bytes_max;
    uint64_t frame_bytes_max;
    uint64_t pending_max;              /* requests in flight per connection */
    char user[IDP_USER_BYTES_MAX + 1]; /* whom the secret named; "": none was
                                        * demanded, and then it is left out */
} idp_hello;

#define IDP_HELLO_BYTES_MAX 1024
size_t idp_hello_write(uint8_t *to, size_t cap, uint32_t msgid,
                       const idp_hello *hello);

/* One line of stats. name: static or outliving the call, and of at most
 * IDP_STAT_NAME_BYTES_MAX bytes. */
#define IDP_STAT_NAME_BYTES_MAX 64
typedef struct idp_stat {
    const char *name;
    uint64_t value;
} idp_stat;

/* The wire has no map of more than IDP_CONTAINER_ITEMS_MAX: what is over it
 * stands in a map of its own, under the last name. */
#define IDP_STATS_MAX  (2 * IDP_CONTAINER_ITEMS_MAX - 1)
#define IDP_STATS_MORE "more"

/* count <= IDP_STATS_MAX. */
size_t idp_stats_write_bound(size_t count);
size_t idp_stats_write(uint8_t *to, size_t cap, uint32_t msgid,
                       const idp_stat *stats, size_t count);

/* Reading, for the client. A reply is opened first (whose is it?), then its
 * result is read as what was asked. */
typedef struct idp_reply {
    uint32_t msgid;
    bool is_error;
    idp_error error;  /* is_error; 0 when the code is none that we know */
    idp_slice text;   /* is_error: the whole "CODE text" */
    idp_slice result; /* not is_error: its MessagePack bytes */
} idp_reply;

typedef enum idp_reply_read_status {
    IDP_REPLY_WHOLE,
    IDP_REPLY_PARTIAL,
    IDP_REPLY_BROKEN
} idp_reply_read_status;

/* Opens the reply at the head of bytes. frame_bytes: its size when WHOLE, a
 * lower bound of the bytes needed when PARTIAL. reply_bytes_max bounds what
 * is believed of an announced size. Later versions may append fields: they
 * are skipped. */
idp_reply_read_status idp_reply_open(const uint8_t *bytes, size_t len,
                                     size_t reply_bytes_max, idp_reply *reply,
                                     size_t *frame_bytes);

/* Each returns false when result is not what method answers. */
bool idp_answer_read(idp_method method, idp_slice result, idp_answer *answer);
bool idp_pong_read(idp_slice result);
bool idp_hello_read(idp_slice result, idp_hello *hello);

/* Walks a stats map: start with *at = 0; false at the end or when broken. A
 * value that is no unsigned integer is skipped. */
bool idp_stats_next(idp_slice result, size_t *at, idp_slice *name,
                    uint64_t *value);

/* The largest reply that a server with this limit sends. */
size_t idp_reply_bytes_max(size_t result_bytes_max);

/* The words, as they stand on the wire. */
const char *idp_method_name(idp_method method);
const char *idp_state_name(idp_state state);
const char *idp_outcome_name(idp_outcome outcome);
const char *idp_previous_name(idp_previous previous);
const char *idp_verb_name(idp_verb verb);
const char *idp_event_kind_name(idp_event_kind kind); /* ANY: "unknown" */
const char *idp_class_name(idp_class class);

#endif
