/* SPDX-License-Identifier: Apache-2.0 */
/* disk_world.c -- lives and deaths of a node, from one seed. */
#include "tests/sim/disk_world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ids_mutant ids_mutant_now = IDS_MUTANT_NONE;

bool disk_fail(disk_world *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->failure, sizeof w->failure, format, arguments);
    va_end(arguments);
    return false;
}

void disk_trace(disk_world *w, const char *format, ...) {
    va_list arguments;
    if (!w->tracing) {
        return;
    }
    printf("  [%10llu] ", (unsigned long long)w->now_ms);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

static void open_world(disk_world *w, uint64_t seed, disk_tally *tally) {
    bool tracing = w->tracing;
    *w = (disk_world){.tally = tally, .tracing = tracing};
    idt_rng_seed(&w->rng, seed);
    idt_mem_init(&w->mem);
    w->disk = hostile_new(idt_rng_next(&w->rng));
    w->history = malloc(sizeof *w->history);
    w->old = malloc(sizeof *w->old);
    assert(w->history && w->old);
    w->history->count = 0;
    w->segment_bytes = 16384u << idt_rng_below(&w->rng, 2);
    w->now_ms = IDS_CLOCK_START_MS;
    for (uint32_t i = 0; i < DISK_LOOPS_MAX; i++) {
        w->loop[i].world = w;
        w->loop[i].index = i;
    }
    if (idt_rng_chance(&w->rng, 50)) {
        w->disk->short_percent = 20;
    }
}

static bool close_world(disk_world *w) {
    disk_stop(w);
    for (uint32_t i = 0; i < DISK_LOOPS_MAX; i++) {
        ids_journal_free(w->loop[i].journal);
    }
    hostile_free(w->disk);
    free(w->history);
    free(w->old);
    return w->mem.blocks == 0 || disk_fail(w, "memory leaks");
}

/* What will go wrong in the life to come, if anything. */
static void plan(disk_world *w) {
    hostile *d = w->disk;
    uint32_t dice = idt_rng_below(&w->rng, 100);
    uint64_t soon = d->ops + idt_rng_below(&w->rng, 300);
    if (idt_rng_chance(&w->rng, 30)) {
        soon = d->ops + idt_rng_below(&w->rng, 25); /* while it starts */
    }
    if (dice < 60) {
        d->crash_at = soon;
    } else if (dice < 80) {
        d->error_at = soon;
    }
    bool nearly_full = idt_rng_chance(&w->rng, 10);
    d->capacity = nearly_full ? d->allocated + IDS_DISK_RESERVE_BYTES +
                                    idt_rng_below(&w->rng, 200000)
                              : UINT64_MAX / 2;
}

/* So much longer a manifest is that closes the last life. */
#define CLOSED_BYTES_MAX 1000

/* The disk is full as it starts. Where there is nothing to free it refuses,
 * says how many bytes it needs, and leaves the folder as it was; with that
 * room it starts. */
static disk_outcome start_full(disk_world *w) {
    hostile *d = w->disk;
    ids_fault fault = {0};
    d->crash_at = d->error_at = UINT64_MAX;
    d->capacity = UINT64_MAX / 2;
    uint64_t before = hostile_used(d);
    d->bytes_max =
        before + idt_rng_below(&w->rng, 2) * idt_rng_below(&w->rng, 40000);
    disk_outcome outcome = disk_recover(w, d, false, &fault);
    w->tally->starts_full += outcome == DISK_STARTED;
    if (outcome == DISK_REFUSED) {
        w->tally->refused_full++;
        if (fault.needs == 0) {
            disk_fail(w, "on a full disk it does not say how much it needs");
            return DISK_WRONG;
        }
        if (hostile_used(d) > before + CLOSED_BYTES_MAX ||
            hostile_has(d, IDS_NAME_MANIFEST_NEW)) {
            disk_fail(w, "a start that was refused leaves something behind");
            return DISK_WRONG;
        }
        /* It may have another number of loops now. */
        d->bytes_max = hostile_used(d) + DISK_LOOPS_MAX * fault.needs;
        outcome = disk_recover(w, d, false, &fault);
        if (outcome == DISK_REFUSED) {
            disk_fail(w, "with the room that it needs it does not start");
            outcome = DISK_WRONG;
        }
    }
    d->bytes_max = 0;
    return outcome;
}

static void die(disk_world *w) {
    disk_stop(w);
    w->killed = idt_rng_chance(&w->rng, 40);
    disk_trace(w, w->killed ? "killed" : "power cut");
    if (w->killed) {
        w->tally->kills++;
        hostile_kill(w->disk);
    } else {
        w->tally->power_cuts++;
        hostile_power_cut(w->disk);
    }
}

static const char *any_file(disk_world *w) {
    uint32_t count = 0;
    while (hostile_nth(w->disk, count)) {
        count++;
    }
    return count ? hostile_nth(w->disk, idt_rng_below(&w->rng, count)) : NULL;
}

typedef struct damage {
    const char *what;
    uint64_t *done, *detected; /* tallies */
    uint64_t at;
    int bit;
} damage;

static bool do_damage(disk_world *w, hostile *disk, const char *name,
                      damage *d) {
    uint32_t dice = idt_rng_below(&w->rng, 100);
    if (dice < 60) {
        *d = (damage){"changed", &w->tally->flips, &w->tally->flips_detected, 0,
                      0};
        hostile_flip(disk, name, &w->rng, &d->at, &d->bit);
        return true;
    }
    if (dice < 80) {
        *d = (damage){"lost", &w->tally->losses, &w->tally->losses_detected, 0,
                      0};
        hostile_lose(disk, name);
        return true;
    }
    *d = (damage){"with a batch astray", &w->tally->strays,
                  &w->tally->strays_detected, 0, 0};
    return hostile_misdirect(disk, name, &w->rng);
}

/* On a copy of the disk: a bit flips, a file is lost, a write went astray.
 * Either the folder is refused, or nothing that counts has changed. */
static bool try_damage(disk_world *w) {
    const char *name = any_file(w);
    ids_fault fault;
    damage d;
    if (!name) {
        return true;
    }
    hostile *disk = hostile_clone(w->disk);
    bool done = do_damage(w, disk, name, &d);
    disk_outcome outcome =
        done ? disk_recover(w, disk, true, &fault) : DISK_STARTED;
    hostile_free(disk);
    *d.done += done;
    *d.detected += outcome == DISK_REFUSED;
    if (outcome == DISK_WRONG) {
        char what[sizeof w->failure];
        strcpy(what, w->failure);
        return disk_fail(w, "%.64s %s, bit %d of byte %llu: unnoticed: %.300s",
                         name, d.what, d.bit, (unsigned long long)d.at, what);
    }
    return true;
}

/* R5: a copy that is put back is not this node's memory. */
static bool try_copy(disk_world *w) {
    ids_fault fault;
    hostile *disk = hostile_clone(w->disk);
    hostile_make_copy(disk, &w->rng);
    disk_outcome outcome = disk_recover(w, disk, true, &fault);
    w->tally->copies += outcome == DISK_STARTED;
    hostile_free(disk);
    return outcome != DISK_WRONG;
}

/* Comes up again, whatever happens meanwhile. */
static bool come_up(disk_world *w) {
    if (idt_rng_chance(&w->rng, 8)) {
        return start_full(w) == DISK_STARTED;
    }
    for (uint32_t attempt = 0; attempt < 20; attempt++) {
        ids_fault fault = {0};
        if (attempt < 4) {
            plan(w);
        }
        disk_outcome outcome = disk_recover(w, w->disk, false, &fault);
        if (outcome != DISK_REFUSED) {
            return outcome == DISK_STARTED;
        }
        char text[IDS_FAULT_TEXT_BYTES];
        ids_fault_text(&fault, text);
        disk_trace(w, "refused: %s", text);
        if (!w->disk->crashed && !w->disk->erred) {
            return disk_fail(w,
                             "a folder that is as it should be is refused: "
                             "%s",
                             text);
        }
        w->tally->errors++;
        /* A kill that is not the life's end, but a second one. */
        if (idt_rng_chance(&w->rng, 50)) {
            hostile_kill(w->disk);
        } else {
            w->killed = false;
            hostile_power_cut(w->disk);
        }
    }
    return disk_fail(w, "it never comes up");
}

static bool lives(disk_world *w) {
    uint32_t count = idt_rng_between(&w->rng, 2, 6);
    for (uint32_t life = 0; life < count; life++) {
        if (!come_up(w)) {
            return false;
        }
        w->tally->lives++;
        disk_trace(w, "life %u: %u loops, fsync %s, epoch %llu", life, w->loops,
                   ids_fsync_names[w->fsync], (unsigned long long)w->epoch);
        if (!disk_live(w)) {
            return false;
        }
        die(w);
        if (!try_copy(w)) {
            return false;
        }
        for (int i = 0; i < 3; i++) {
            if (!try_damage(w)) {
                return false;
            }
        }
    }
    return come_up(w);
}

bool disk_world_run(disk_world *w, uint64_t seed, disk_tally *tally) {
    open_world(w, seed, tally);
    bool good = lives(w);
    return close_world(w) && good;
}
