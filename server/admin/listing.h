/* SPDX-License-Identifier: Apache-2.0 */
/* listing.h -- a worker's part of a walk through the records, and one record
 * with all that is known of it. See looks.h. */
#ifndef IDS_LISTING_H
#define IDS_LISTING_H

#include "server/admin/looks.h"

/* A page: at most IDP_LIST_ROWS_MAX records, and so many buckets are looked
 * through for them; fewer where others ask by the thousand. */
#define IDS_LIST_BUCKETS_MAX   1024u
#define IDS_LIST_BUCKETS_ASKED 64u
bool ids_listing_page(ids_worker *worker, const ids_look *look,
                      idp_bytes *frame);

bool ids_listing_inspect(ids_worker *worker, const ids_look *look,
                         idp_bytes *frame);

#endif
