/* SPDX-License-Identifier: Apache-2.0 */
/* intake.h -- records of another node, between the monitor and the shards.
 *
 * Within a stay a frame's numbers are judged, and its body waits here; what is
 * in it is read, and put or sent to its owner, behind the stay, by the worker
 * that read it from its socket: decoding a record takes longer than all else
 * that is done for it, and nobody else has to wait for that.
 *
 * The bodies borrow from the input of their link, which any worker may end
 * meanwhile: so that input becomes the intake's own. A worker that is about to
 * put something does not stand still, so that no step that all take (quiesce.h)
 * comes in between; what a session's end made old by then is put and not
 * acknowledged, as if it had been put just before. */
#ifndef IDS_NODE_INTAKE_H
#define IDS_NODE_INTAKE_H

#include "server/peer/peer.h"
#include "server/worker/worker.h"

typedef struct ids_intake {
    ids_body *bodies; /* in the order they came */
    uint32_t count, cap;
    idp_bytes *inputs; /* from which they borrow */
    uint32_t inputs_count, inputs_cap;
    idp_bytes spare; /* empty: the next link's input */
} ids_intake;

void ids_intake_fini(ids_intake *intake);

/* Within the monitor: a body is to be put (ids_peer_driver.route). False: no
 * memory. */
bool ids_intake_add(ids_intake *intake, const ids_body *body);

/* Within the monitor: hands bytes to the link (ids_peer_input), and takes its
 * input if there is something to be put in it. The link may be gone then. */
void ids_intake_read(ids_intake *intake, ids_peer *peer, ids_link **link,
                     idp_slice bytes, uint64_t now_ms);

/* Within the monitor, last: what is not current any more is dropped. */
void ids_intake_look(ids_intake *intake, const ids_peer *peer);

/* Outside: all of it is put. False: there was nothing. */
bool ids_intake_put(ids_intake *intake, ids_worker *worker);

#endif
