/* SPDX-License-Identifier: Apache-2.0 */
/* buffers.h -- what one worker's connections keep: how many bytes in all, and
 * empty buffers that go round. */
#ifndef IDS_BUFFERS_H
#define IDS_BUFFERS_H

#include "proto/bytes.h"

#define IDS_SPARE_BUFFERS 32

typedef struct ids_buffers {
    size_t bytes;     /* partial input, unsent output, what was asked of others;
                       * whoever keeps some counts them here */
    size_t bytes_max; /* what comes on top is refused */
    idp_bytes spare[IDS_SPARE_BUFFERS];
    uint32_t spares;
    uint32_t made; /* to be spares, when they come back: as many, at most */
} ids_buffers;

static inline bool ids_buffers_have_room(const ids_buffers *all, size_t bytes) {
    return all->bytes + bytes <= all->bytes_max;
}

/* All spares are away: so many have output at once. */
static inline bool ids_buffers_are_away(const ids_buffers *all) {
    return !all->spares && all->made == IDS_SPARE_BUFFERS;
}

/* An empty one, a small one where all spares are away; without room where there
 * is no memory. Give it back when it is empty. */
void ids_buffers_take(ids_buffers *all, idp_bytes *buffer);
void ids_buffers_give_back(ids_buffers *all, idp_bytes *buffer);
void ids_buffers_fini(ids_buffers *all);

#endif
