/* SPDX-License-Identifier: Apache-2.0 */
/* disk_hostile.h -- a disk in memory that does what disks may do.
 *
 * What is written is readable at once and on the medium only after a sync;
 * a file's name only after a sync of the folder. At a power cut each sector
 * that was not synced is there or not, by itself, and each name is the old or
 * the new one, by itself. A sync that fails leaves the sectors readable and
 * calls them clean: they are lost at the next power cut, whatever is synced
 * later. A sector is never half written. */
#ifndef IDT_DISK_HOSTILE_H
#define IDT_DISK_HOSTILE_H

#include "server/journal/disk.h"
#include "tests/lib/rng.h"

enum { HOSTILE_FILES_MAX = 256, HOSTILE_NAMES_MAX = 256 };

typedef struct hostile_file {
    uint8_t *cache, *medium;
    uint8_t *state; /* per sector: CLEAN, DIRTY, LOST */
    size_t size, medium_size, cap;
    bool used;
    uint32_t made; /* when it was, among all files */
} hostile_file;

typedef struct hostile_name {
    char text[IDS_DISK_NAME_BYTES];
    int now, medium; /* a file's index; -1: none */
} hostile_name;

typedef struct hostile {
    idt_rng rng;
    hostile_file file[HOSTILE_FILES_MAX];
    hostile_name name[HOSTILE_NAMES_MAX];
    uint32_t names;
    uint64_t ops;
    uint64_t crash_at; /* this operation is begun, and nothing is after it */
    uint64_t error_at; /* this one, or the next that can, fails with EIO */
    uint32_t short_percent; /* of writes and reads that do only a part */
    uint32_t files_made;
    ids_disk_mark mark;
    bool is_copy;
    bool crashed;
    bool erred;                   /* an error was injected */
    uint64_t capacity, allocated; /* of all that was ever written */
    uint64_t bytes_max; /* in files that have a name now; 0: no limit */
} hostile;

hostile *hostile_new(uint64_t seed);
void hostile_free(hostile *disk);
hostile *hostile_clone(const hostile *disk);
ids_disk hostile_disk(hostile *disk);
/* A clone becomes a copy that was put back: other files, or the same ones
 * beside a mark that has gone on; what is in them is the same. */
void hostile_make_copy(hostile *disk, idt_rng *rng);

/* The process is killed: what was written stays readable. */
void hostile_kill(hostile *disk);
/* The power goes: what is not on the medium is there by chance. */
void hostile_power_cut(hostile *disk);

/* Bytes in files that have a name. */
static inline uint64_t hostile_used(const hostile *disk) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < disk->names; i++) {
        int file = disk->name[i].now;
        bytes += file >= 0 ? disk->file[file].size : 0;
    }
    return bytes;
}

bool hostile_has(const hostile *disk, const char *name);

/* Names that are there; NULL past the last. */
const char *hostile_nth(const hostile *disk, uint32_t n);
/* Flips a bit of the file: near its used part, mostly. */
void hostile_flip(hostile *disk, const char *name, idt_rng *rng, uint64_t *at,
                  int *bit);
/* A write that went astray: a batch of this log stands where another of the
 * same size belongs. False: there are no two such. */
bool hostile_misdirect(hostile *disk, const char *name, idt_rng *rng);
void hostile_lose(hostile *disk, const char *name);

#endif
