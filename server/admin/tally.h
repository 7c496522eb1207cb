/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h -- what each namespace has on this node: every loop is asked for its
 * part of one page, and the parts are added up.
 *
 * One question at a time on each loop, the others stand in line; nobody's page
 * is another one's. Exact, as inquiry.h is; rare, so nothing here is made for
 * speed. */
#ifndef IDS_TALLY_H
#define IDS_TALLY_H

#include "proto/namespaces.h"
#include "server/worker/worker.h"

/* Who asks on one loop and has no answer yet; one more is LIMIT. */
#define IDS_TALLY_ASKERS_MAX 16

typedef struct ids_tally_name {
    uint32_t len;
    uint8_t bytes[IDP_NS_BYTES_MAX];
} ids_tally_name;

/* A name with its counts, or those together that have no limits by name. */
typedef struct ids_tally_row {
    bool is_others;
    ids_tally_name ns;
    ids_ns_counts counts;
} ids_tally_row;

/* Rows in order: the first names behind one, and the others as the last row
 * where no name is left out. */
typedef struct ids_tally_part {
    bool counts, is_behind, has_more;
    uint32_t row_count;
    ids_tally_row rows[IDP_NS_ROWS_MAX];
    ids_tally_row others;
} ids_tally_part;

typedef struct ids_tally_asker {
    ids_asker asker;
    uint32_t msgid;
    bool has_after;
    ids_tally_name after;
} ids_tally_asker;

/* One loop's. */
typedef struct ids_tally {
    uint64_t number; /* of the question under way, or the last one */
    uint64_t begun_ms;
    uint32_t left; /* loops that have not told their part */
    bool under_way;
    uint32_t asker_count;
    ids_tally_asker askers[IDS_TALLY_ASKERS_MAX]; /* the first one's page */
    ids_tally_part *sum;                          /* NULL: no memory */
} ids_tally;

/* The connection asks for the page behind this name (ptr NULL: the first). */
void ids_tally_ask(ids_tally *tally, ids_worker *worker, ids_conn *conn,
                   const idp_request *request);

/* At the end of each turn in which somebody waits (asker_count): begins, and
 * answers. True: there is more to do at once. */
bool ids_tally_turn(ids_tally *tally, ids_worker *worker);
void ids_tally_fini(ids_tally *tally);

/* Another loop asks for this one's part; another loop's part has come. */
void ids_tally_tell(ids_worker *worker, const ids_message *message,
                    const uint8_t *body);
void ids_tally_told(ids_tally *tally, const ids_message *message,
                    const uint8_t *body);

#endif
