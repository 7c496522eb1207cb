/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.h -- what `namespaces` answers: what each namespace has, and what
 * it may have: encode and decode.
 *
 * Pure, like reply.h. */
#ifndef IDP_NAMESPACES_H
#define IDP_NAMESPACES_H

#include "proto/terms.h"

#define IDP_UNLIMITED UINT64_MAX

typedef struct idp_ns_row {
    idp_slice ns; /* ptr NULL: all those together that have no limits by name */
    uint64_t records;
    uint64_t in_progress; /* of them: nobody has ended them; orphaned, too */
    uint64_t bytes;
    uint64_t refused_full, refused_rate; /* acquires, since it is counted */
    uint64_t results_dropped;
    /* What it may have; of those together: each of them. IDP_UNLIMITED, rate 0:
     * no such limit, nil on the wire. */
    uint64_t records_max, bytes_max;
    uint64_t rate, burst; /* claims a second, and at once */
    uint64_t ttl_ms_max, result_bytes_max;
} idp_ns_row;

/* One page of them, in order of their bytes; ns NULL comes last. */
#define IDP_NS_ROWS_MAX 40

typedef struct idp_ns_page {
    bool counts;    /* somebody counts; false: there is no row */
    bool is_behind; /* records from before are still being counted */
    bool has_more;  /* ask again, after the last one's name */
    uint32_t row_count;
    idp_ns_row rows[IDP_NS_ROWS_MAX];
} idp_ns_page;

#define IDP_NS_PAGE_BYTES_MAX 8192
size_t idp_ns_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                         const idp_ns_page *page);

/* False when result is no such page. Names borrow from it. */
bool idp_ns_page_read(idp_slice result, idp_ns_page *page);

#endif
