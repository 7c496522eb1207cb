/* SPDX-License-Identifier: Apache-2.0 */
/* peer_backup.c -- a copy of what a node keeps is taken while it is down, and
 * put back after it has gone on (R5); often it is soon the only one left.
 *
 * It may be all of it, or the file of the peer's decisions alone, or the data
 * folder alone. The product is told that it is a copy, as the files tell it;
 * nothing else is known of what was acknowledged since.
 *
 * The record of a node that has led since is not put back: that it has may be
 * known to nobody else, and the primary before it, cut off meanwhile, would be
 * followed again. */
#include "tests/sim/peer_world.h"

#include <string.h>

enum {
    TAKE_PERCENT = 60,
    PUT_BACK_PERCENT = 60,
    HALF_PERCENT = 40,
    OTHERS_DIE_PERCENT = 75
};

static void take(pw_node *n) {
    pw_backup *b = &n->backup;
    pw_say(n->w, "%c's folder is copied", pw_name(n->index));
    ids_shard *records[PW_LOOPS_MAX];
    for (uint32_t k = 0; k < n->loops; k++) {
        records[k] = n->disk.log[k].records;
    }
    pw_disk_copy(n, records, n->disk.then_ms, b->shard);
    b->then_ms = pw_clock(n);
    b->cell = n->cell;
    b->incarnation = n->disk.replaced ? 0 : n->disk.incarnation;
    b->is_there = true;
}

static void others_die(pw_world *w, int node, uint64_t word) {
    (void)node;
    for (int i = 0; i < pw_nodes(w) && !w->quiet; i++) {
        if (i != (int)word) {
            pw_crash(w, &w->node[i]);
        }
    }
}

static void put_back(pw_node *n) {
    pw_world *w = n->w;
    bool has_led = n->cell.led_epoch != n->backup.cell.led_epoch;
    bool cell = !has_led && !pw_chance(w, HALF_PERCENT);
    bool memory = !cell || !pw_chance(w, HALF_PERCENT);
    pw_say(w, "%c gets %s%s from before", pw_name(n->index),
           cell ? "the record" : "", memory ? " the folder" : "");
    if (cell) {
        n->cell = n->backup.cell;
        n->cell_is_copy = true;
    }
    if (memory) {
        ids_shard *records[PW_LOOPS_MAX] = {NULL};
        pw_disk_copy(n, n->backup.shard, n->backup.then_ms, records);
        for (uint32_t k = 0; k < n->loops; k++) {
            ids_shard_free(n->disk.log[k].records);
            n->disk.log[k].records = records[k];
        }
        n->disk.then_ms = pw_clock(n);
        n->disk.incarnation = n->backup.incarnation;
        n->disk.replaced = false;
        n->memory_is_old = true;
        /* A volume that was set back whole shows nothing: then the record,
         * which lies elsewhere, must. */
        n->memory_is_copy = !cell || !pw_chance(w, 50);
    }
    w->put_back++;
    if (pw_chance(w, OTHERS_DIE_PERCENT)) {
        pw_later(w, pw_below(w, 200), others_die, -1, (uint64_t)n->index);
    }
}

void pw_maybe_put_back(pw_node *n) {
    if (!n->w->config.backups || !n->disk.is_there || n->cell.version == 0) {
        return;
    }
    if (n->backup.is_there && pw_chance(n->w, PUT_BACK_PERCENT)) {
        put_back(n);
    } else if (pw_chance(n->w, TAKE_PERCENT)) {
        take(n);
    }
}

void pw_backup_free(pw_node *n) {
    pw_shards_free(n, n->backup.shard);
    n->backup = (pw_backup){0};
}
