/* SPDX-License-Identifier: Apache-2.0 */
/* list.h -- what `list` and `inspect` answer: records, for who only looks:
 * encode and decode.
 *
 * Pure, like reply.h. */
#ifndef IDP_LIST_H
#define IDP_LIST_H

#include "proto/terms.h"

/* What names a walk, or a connection: text. */
#define IDP_CURSOR_BYTES_MAX 32

typedef struct idp_list_row {
    idp_slice ns, key;
    idp_state state;
    uint64_t age_ms;
    uint32_t attempt;
    uint64_t lease_left_ms; /* in_progress; else 0, nil on the wire */
    uint64_t ttl_left_ms;
    idp_slice user; /* who claimed it, while it is in_progress or orphaned; ptr
                     * NULL: not known */
} idp_list_row;

#define IDP_LIST_ROWS_MAX 60

typedef struct idp_list_page {
    idp_slice cursor; /* for the next page; ptr NULL: there is none */
    bool has_scan;    /* of the oldest: as they were so long ago */
    uint64_t scan_age_ms;
    uint32_t row_count;
    idp_list_row rows[IDP_LIST_ROWS_MAX];
} idp_list_page;

size_t idp_list_page_write_bound(const idp_list_page *page);
size_t idp_list_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                           const idp_list_page *page);

/* False when result is no such page. Slices borrow from it. */
bool idp_list_page_read(idp_slice result, idp_list_page *page);

/* Who claimed a record. ptr NULL: not known, or not told. */
typedef struct idp_by {
    idp_slice user;    /* its credential's name */
    idp_slice client;  /* what it called itself in hello, printable */
    idp_slice address; /* printable */
} idp_by;

typedef struct idp_inspected {
    idp_state state; /* ABSENT: nothing else is set */
    uint64_t age_ms;
    uint32_t attempt;
    idp_previous previous;
    uint64_t lease_ms;      /* in_progress, orphaned */
    uint64_t lease_left_ms; /* in_progress */
    uint64_t ttl_ms, ttl_left_ms;
    idp_slice fingerprint; /* len 0: none is bound */
    idp_class class;       /* completed, and the next two */
    bool has_result;
    uint64_t result_bytes;
    bool
        has_token; /* it is told: the asker may resolve; then the result, too */
    idp_token token;
    idp_slice result; /* ptr NULL: there is none, or it is not told */
    idp_by by;        /* in_progress, orphaned */
} idp_inspected;

size_t idp_inspected_write_bound(const idp_inspected *one);
size_t idp_inspected_write(uint8_t *to, size_t cap, uint32_t msgid,
                           const idp_inspected *one);
bool idp_inspected_read(idp_slice result, idp_inspected *one);

#endif
