/* SPDX-License-Identifier: Apache-2.0 */
/* inquiry.h -- what all loops are asked, and the sum of what they answer:
 * scatter-gather, for stats and metrics, and for how replication stands (loop 0
 * knows).
 *
 * One round of a kind at a time: who asks while one is under way is of the
 * next. All askers of a round get the same answer, made once, so that asking a
 * thousand times costs a thousand short replies and one round. Exact, since a
 * round begins after its askers have asked; free for all who don't. */
#ifndef IDS_INQUIRY_H
#define IDS_INQUIRY_H

#include "server/metrics/metrics.h"

typedef enum ids_inquiry_kind {
    IDS_INQUIRY_STATS,
    IDS_INQUIRY_REPLICATION,
    IDS_INQUIRY_METRICS,
    IDS_INQUIRY_OPEN_METRICS,
    IDS_INQUIRIES
} ids_inquiry_kind;

/* One loop's, of one kind. */
typedef struct ids_inquiry {
    uint64_t number; /* of the last round that began */
    uint64_t begun_ms;
    uint32_t left;        /* loops that have not told their part */
    bool under_way;       /* until its last asker is answered */
    bool is_over;         /* the answer is there, or it will not be */
    ids_metrics sums;     /* stats: the counters alone */
    idp_bytes namespaces; /* metrics: ids_metrics_ns, summed */
    ids_shared *rest;     /* the answer; NULL: there was no memory for it */
    idp_bytes askers;     /* ids_woken_asker; those before at have it */
    size_t at;
    idp_bytes next; /* askers of the next round */
} ids_inquiry;

/* One loop's. */
typedef struct ids_inquiries {
    ids_inquiry of[IDS_INQUIRIES];
    uint32_t askers; /* of all kinds, who have no answer yet */
} ids_inquiries;

/* The connection asks; its reply leaves when every loop has told its part. */
void ids_inquiry_ask(ids_inquiries *all, ids_inquiry_kind kind,
                     ids_worker *worker, ids_conn *conn, uint32_t msgid);

/* At the end of each turn in which somebody waits for an answer (askers):
 * begins rounds, and answers some askers. have_more: there are more of either.
 */
void ids_inquiries_turn(ids_inquiries *all, ids_worker *worker);
bool ids_inquiries_have_more(const ids_inquiries *all);
void ids_inquiries_fini(ids_inquiries *all, ids_buffers *buffers);

/* Another loop asks for this one's part; another loop's part has come. */
void ids_inquiry_tell(ids_worker *worker, const ids_message *message);
void ids_inquiry_told(ids_inquiries *all, ids_worker *worker,
                      const ids_message *message, const uint8_t *body);

#endif
