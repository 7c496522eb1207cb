/* SPDX-License-Identifier: Apache-2.0 */
/* room.c -- room for records: chunks that hold few are emptied by moving
 * these.
 *
 * Pure. Inside the shard. A record is named by the table alone, so that moving
 * it is a copy and one entry. What is not moved is what waiters, and answers
 * that are being made, are of: see ids_claims_alloc. */
#include "server/core/claims.h"

#include <assert.h>

static uint64_t record_hash(const ids_shard *shard, const ids_record *record) {
    return shard->config.hash(shard->config.hash_ctx, ids_record_ns(record),
                              ids_record_key(record));
}

static bool move_record(ids_shard *shard, ids_ref from) {
    const ids_record *record = ids_slab_at(&shard->slab, from);
    uint64_t hash = record_hash(shard, record);
    size_t bytes = ids_record_bytes(record);
    ids_ref to = ids_slab_alloc(&shard->slab, bytes);
    assert(record->state != IDP_STATE_ABSENT);
    assert(ids_slab_chunk(&shard->slab, ids_ref_chunk(from))->live > 0);
    if (to == 0)
        return false;
    assert(ids_slab_slot_bytes(&shard->slab, to) >= bytes);
    memcpy(ids_slab_at(&shard->slab, to), record, bytes);
    ids_place_set(ids_table_place(&shard->table, hash, from), to);
    ids_wheel_add(&shard->wheel, to);
    ids_slab_free(&shard->slab, from);
    return true;
}

static bool move_bucket(ids_shard *shard, ids_ref from) {
    ids_ref of = ids_table_some_record(&shard->table, from);
    assert(of != 0);
    const ids_record *record = ids_slab_at(&shard->slab, of);
    return ids_table_move_bucket(&shard->table, record_hash(shard, record),
                                 from);
}

/* False: nothing can be moved, or it would be of no use. */
static bool move_one(ids_shard *shard, bool eager) {
    ids_ref from = ids_slab_victim(&shard->slab, eager);
    const ids_chunk *chunk;
    bool moved;
    if (from == 0)
        return false;
    chunk = ids_slab_chunk(&shard->slab, ids_ref_chunk(from));
    moved = chunk->class == IDS_SLAB_BUCKET_CLASS ? move_bucket(shard, from)
                                                  : move_record(shard, from);
    if (!moved)
        ids_slab_spare_victim(&shard->slab);
    else if (shard->config.work != NULL)
        ++*shard->config.work;
    return moved;
}

void ids_claims_empty(ids_shard *shard, uint32_t moves_max, bool eager) {
    while (moves_max-- > 0 && move_one(shard, eager))
        ;
}

ids_ref ids_claims_alloc(ids_shard *shard, size_t bytes) {
    ids_ref ref = ids_slab_alloc(&shard->slab, bytes);
    uint32_t moves = 0;
    while (ref == 0 && moves++ < IDS_MOVES_A_CALL && move_one(shard, true))
        if (shard->slab.victim == 0) /* a chunk has gone */
            ref = ids_slab_alloc(&shard->slab, bytes);
    /* What is unused by now is less than a chunk of each class. */
    return ref != 0 ? ref : ids_slab_alloc_larger(&shard->slab, bytes);
}
