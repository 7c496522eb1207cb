/* SPDX-License-Identifier: Apache-2.0 */
/* clients.h -- what `clients`, `kill` and `slow` answer: who is connected, and
 * what has taken long: encode and decode.
 *
 * Pure, like reply.h. */
#ifndef IDP_CLIENTS_H
#define IDP_CLIENTS_H

#include "proto/terms.h"

typedef struct idp_client_row {
    idp_slice id;      /* for kill; text */
    idp_slice address; /* printable; ptr NULL: not told to who asks */
    idp_slice name;    /* what it called itself, printable; ptr NULL: nothing */
    idp_slice user;    /* its credential; ptr NULL: none was demanded */
    bool is_tls, is_http;
    uint64_t age_ms;
    uint64_t requests; /* ever */
    uint64_t waiting;  /* acquires that wait */
    uint64_t unsent_bytes;
} idp_client_row;

#define IDP_CLIENT_ROWS_MAX 40

typedef struct idp_clients_page {
    idp_slice cursor; /* for the next page; ptr NULL: there is none */
    uint32_t row_count;
    idp_client_row rows[IDP_CLIENT_ROWS_MAX];
} idp_clients_page;

size_t idp_clients_page_write_bound(const idp_clients_page *page);
size_t idp_clients_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                              const idp_clients_page *page);
bool idp_clients_page_read(idp_slice result, idp_clients_page *page);

/* kill: it is closed; or there is no such connection (any more). */
#define IDP_KILLED_BYTES_MAX 32
size_t idp_killed_write(uint8_t *to, size_t cap, uint32_t msgid,
                        bool was_there);
bool idp_killed_read(idp_slice result, bool *was_there);

/* Work of one iteration of a loop, by kind; see the README. */
#define IDP_WORK_KINDS 5
const char *idp_work_name(int kind);

typedef struct idp_slow_turn {
    uint64_t age_ms; /* since it ended */
    uint64_t loop;
    uint64_t us; /* it took */
    uint64_t work[IDP_WORK_KINDS];
} idp_slow_turn;

typedef struct idp_slow_hold {
    uint64_t age_ms; /* since they left */
    uint64_t loop;
    bool is_replica; /* what they waited for: the replica, else the disk */
    uint64_t us;     /* the longest */
    uint64_t replies;
} idp_slow_hold;

#define IDP_SLOW_ROWS_MAX 60

typedef struct idp_slow {
    uint32_t turn_count, hold_count; /* the newest first */
    idp_slow_turn turns[IDP_SLOW_ROWS_MAX];
    idp_slow_hold holds[IDP_SLOW_ROWS_MAX];
} idp_slow;

#define IDP_SLOW_BYTES_MAX 12288
size_t idp_slow_write(uint8_t *to, size_t cap, uint32_t msgid,
                      const idp_slow *slow);
bool idp_slow_read(idp_slice result, idp_slow *slow);

#endif
