/* SPDX-License-Identifier: Apache-2.0 */
/* disk_hostile.c -- see disk_hostile.h. */
#include "tests/sim/disk_hostile.h"

#include "server/journal/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CLEAN, DIRTY, LOST };
enum { SECTOR = IDS_SECTOR_BYTES };

hostile *hostile_new(uint64_t seed) {
    hostile *d = calloc(1, sizeof *d);
    assert(d);
    idt_rng_seed(&d->rng, seed);
    d->crash_at = d->error_at = UINT64_MAX;
    d->capacity = UINT64_MAX / 2;
    d->mark.identity = ids_identity_from(1, 1);
    return d;
}

static void drop_file(hostile_file *f) {
    free(f->cache);
    free(f->medium);
    free(f->state);
    *f = (hostile_file){0};
}

void hostile_free(hostile *d) {
    for (int i = 0; d && i < HOSTILE_FILES_MAX; i++) {
        drop_file(&d->file[i]);
    }
    free(d);
}

static uint8_t *copy(const uint8_t *from, size_t len) {
    uint8_t *to = malloc(len + 1);
    assert(to);
    if (len) {
        memcpy(to, from, len);
    }
    return to;
}

hostile *hostile_clone(const hostile *from) {
    hostile *d = malloc(sizeof *d);
    assert(d);
    *d = *from;
    for (int i = 0; i < HOSTILE_FILES_MAX; i++) {
        hostile_file *f = &d->file[i];
        if (f->used) {
            f->cache = copy(f->cache, f->cap);
            f->medium = copy(f->medium, f->cap);
            f->state = copy(f->state, f->cap / SECTOR);
        }
    }
    d->crash_at = d->error_at = UINT64_MAX;
    d->short_percent = 0;
    return d;
}

static void grow(hostile_file *f, size_t size) {
    size_t cap = (size + SECTOR - 1) / SECTOR * SECTOR;
    if (cap > f->cap) {
        f->cache = realloc(f->cache, cap);
        f->medium = realloc(f->medium, cap);
        f->state = realloc(f->state, cap / SECTOR);
        assert(f->cache && f->medium && f->state);
        memset(f->cache + f->cap, 0, cap - f->cap);
        memset(f->medium + f->cap, 0, cap - f->cap);
        memset(f->state + f->cap / SECTOR, CLEAN, (cap - f->cap) / SECTOR);
        f->cap = cap;
    }
    f->size = size > f->size ? size : f->size;
}

static hostile_name *find(hostile *d, const char *text, bool make) {
    for (uint32_t i = 0; i < d->names; i++) {
        if (!strcmp(d->name[i].text, text)) {
            return &d->name[i];
        }
    }
    if (!make) {
        return NULL;
    }
    uint32_t at = 0;
    while (at < d->names && (d->name[at].now >= 0 || d->name[at].medium >= 0)) {
        at++;
    }
    d->names += at == d->names;
    assert(d->names <= HOSTILE_NAMES_MAX);
    strcpy(d->name[at].text, text);
    d->name[at].now = d->name[at].medium = -1;
    return &d->name[at];
}

/* Files that no name leads to any more, now or after a power cut. */
static void reap(hostile *d) {
    bool held[HOSTILE_FILES_MAX] = {0};
    for (uint32_t i = 0; i < d->names; i++) {
        if (d->name[i].now >= 0) {
            held[d->name[i].now] = true;
        }
        if (d->name[i].medium >= 0) {
            held[d->name[i].medium] = true;
        }
    }
    d->allocated = 0;
    for (int i = 0; i < HOSTILE_FILES_MAX; i++) {
        if (d->file[i].used && !held[i]) {
            drop_file(&d->file[i]);
        }
        d->allocated += d->file[i].size;
    }
}

/* Every operation passes here. CRASH: it may have been begun. */
typedef enum luck { FINE, FAILS, CRASH, OFF } luck;

static luck draw(hostile *d) {
    if (d->crashed) {
        return OFF;
    }
    uint64_t op = d->ops++;
    if (op >= d->crash_at) {
        d->crashed = true;
        return CRASH;
    }
    if (op >= d->error_at) {
        d->error_at = UINT64_MAX;
        d->erred = true;
        return FAILS;
    }
    return FINE;
}

static int open_file(void *ctx, const char *text, ids_disk_mode mode) {
    hostile *d = ctx;
    hostile_name *name = find(d, text, mode == IDS_DISK_CREATE);
    if (d->crashed) {
        return -EIO;
    }
    if (mode != IDS_DISK_CREATE) {
        return name && name->now >= 0 ? name->now : -ENOENT;
    }
    if (name->now >= 0) {
        return -EEXIST;
    }
    luck is = draw(d);
    if (is == FAILS || is == OFF ||
        (is == CRASH && idt_rng_chance(&d->rng, 50))) {
        return -EIO;
    }
    reap(d);
    for (int i = 0; i < HOSTILE_FILES_MAX; i++) {
        if (!d->file[i].used) {
            d->file[i] = (hostile_file){.used = true, .made = ++d->files_made};
            name->now = i;
            return is == CRASH ? -EIO : i;
        }
    }
    return -EMFILE;
}

static void close_file(void *ctx, int file) {
    (void)ctx;
    (void)file;
}

static int64_t size_of(void *ctx, int file) {
    hostile *d = ctx;
    return d->crashed ? -EIO : (int64_t)d->file[file].size;
}

static bool has_room(const hostile *d, uint64_t bytes) {
    return d->allocated + bytes <= d->capacity &&
           (d->bytes_max == 0 || hostile_used(d) + bytes <= d->bytes_max);
}

static int allocate(void *ctx, int file, uint64_t bytes) {
    hostile *d = ctx;
    luck is = draw(d);
    if (!has_room(d, bytes)) {
        return -ENOSPC;
    }
    if (is == FINE || (is == CRASH && idt_rng_chance(&d->rng, 50))) {
        grow(&d->file[file], bytes);
        d->allocated += bytes;
    }
    return is == FINE ? 0 : -EIO;
}

static void put(hostile_file *f, uint64_t at, const uint8_t *bytes,
                size_t len) {
    if (len == 0) {
        return;
    }
    grow(f, at + len);
    memcpy(f->cache + at, bytes, len);
    memset(f->state + at / SECTOR, DIRTY,
           (at + len - 1) / SECTOR - at / SECTOR + 1);
}

static int64_t write_some(void *ctx, int file, uint64_t at, const void *bytes,
                          size_t len) {
    hostile *d = ctx;
    hostile_file *f = &d->file[file];
    luck is = draw(d);
    if (at + len > f->size && !has_room(d, at + len - f->size)) {
        return -ENOSPC;
    }
    if (is == FINE) {
        if (idt_rng_chance(&d->rng, d->short_percent)) {
            len = 1 + idt_rng_below(&d->rng, (uint32_t)len);
        }
        put(f, at, bytes, len);
        return (int64_t)len;
    }
    if (is != OFF) { /* some of it, from the front */
        put(f, at, bytes, idt_rng_below(&d->rng, (uint32_t)len + 1));
    }
    return -EIO;
}

static int zero(void *ctx, int file, uint64_t at, size_t len) {
    hostile *d = ctx;
    uint8_t *zeros = calloc(1, len);
    assert(zeros && at + len <= d->file[file].size);
    luck is = draw(d);
    if (is == FINE || is == CRASH) {
        put(&d->file[file], at, zeros,
            is == FINE ? len : idt_rng_below(&d->rng, (uint32_t)len + 1));
    }
    free(zeros);
    return is == FINE ? 0 : -EIO;
}

/* What is not synced may be there after a crash or not, pushed or not. */
static void push(void *ctx, int file, uint64_t at, uint64_t len) {
    const hostile *d = ctx;
    assert(at + len <= d->file[file].size);
    (void)d;
}

static int64_t read_some(void *ctx, int file, uint64_t at, void *bytes,
                         size_t len) {
    hostile *d = ctx;
    const hostile_file *f = &d->file[file];
    if (d->crashed) {
        return -EIO;
    }
    if (at >= f->size || len == 0) {
        return 0;
    }
    len = len < f->size - at ? len : f->size - at;
    if (idt_rng_chance(&d->rng, d->short_percent)) {
        len = 1 + idt_rng_below(&d->rng, (uint32_t)len);
    }
    memcpy(bytes, f->cache + at, len);
    return (int64_t)len;
}

static void come_to_rest(hostile *d, hostile_file *f, uint32_t percent) {
    for (size_t i = 0; i < f->cap / SECTOR; i++) {
        if (f->state[i] == DIRTY && idt_rng_chance(&d->rng, percent)) {
            memcpy(f->medium + i * SECTOR, f->cache + i * SECTOR, SECTOR);
            f->state[i] = CLEAN;
        }
    }
}

static int sync_file(void *ctx, int file) {
    hostile *d = ctx;
    hostile_file *f = &d->file[file];
    switch (draw(d)) {
    case FINE:
        come_to_rest(d, f, 100);
        f->medium_size = f->size;
        return 0;
    case FAILS: /* the kernel has told its one time, and forgets it */
        come_to_rest(d, f, 50);
        for (size_t i = 0; i < f->cap / SECTOR; i++) {
            f->state[i] = f->state[i] == DIRTY ? LOST : f->state[i];
        }
        return -EIO;
    case CRASH:
        come_to_rest(d, f, 50);
        return -EIO;
    case OFF:
        break;
    }
    return -EIO;
}

static int rename_file(void *ctx, const char *from, const char *to) {
    hostile *d = ctx;
    luck is = draw(d);
    hostile_name *old = find(d, from, false);
    if (is == FAILS || is == OFF ||
        (is == CRASH && idt_rng_chance(&d->rng, 50))) {
        return -EIO;
    }
    if (!old || old->now < 0) {
        return -ENOENT;
    }
    hostile_name *new = find(d, to, true);
    new->now = old->now;
    old->now = -1;
    return is == CRASH ? -EIO : 0;
}

static int remove_file(void *ctx, const char *text) {
    hostile *d = ctx;
    luck is = draw(d);
    hostile_name *name = find(d, text, false);
    if (is == FAILS || is == OFF ||
        (is == CRASH && idt_rng_chance(&d->rng, 50))) {
        return -EIO;
    }
    if (!name || name->now < 0) {
        return -ENOENT;
    }
    name->now = -1;
    return is == CRASH ? -EIO : 0;
}

static void names_come_to_rest(hostile *d, uint32_t percent) {
    for (uint32_t i = 0; i < d->names; i++) {
        if (idt_rng_chance(&d->rng, percent)) {
            d->name[i].medium = d->name[i].now;
        }
    }
}

static int sync_folder(void *ctx) {
    hostile *d = ctx;
    luck is = draw(d);
    if (is == FINE) {
        names_come_to_rest(d, 100);
        reap(d);
        return 0;
    }
    if (is == CRASH) {
        names_come_to_rest(d, 50);
    }
    return -EIO;
}

static int list(void *ctx, void (*each)(void *each_ctx, const char *name),
                void *each_ctx) {
    hostile *d = ctx;
    if (d->crashed) {
        return -EIO;
    }
    for (uint32_t i = 0; i < d->names; i++) {
        if (d->name[i].now >= 0) {
            each(each_ctx, d->name[i].text);
        }
    }
    return 0;
}

static int64_t free_bytes(void *ctx) {
    const hostile *d = ctx;
    return (int64_t)(d->capacity > d->allocated ? d->capacity - d->allocated
                                                : 0);
}

/* What the system itself says of a file: no operation, no luck. */
static ids_identity identity(void *ctx, int file) {
    const hostile *d = ctx;
    return ids_identity_from((uint64_t)file + 1, d->file[file].made);
}

static ids_disk_mark mark(void *ctx) {
    return ((const hostile *)ctx)->mark;
}

static void set_mark(void *ctx, uint64_t counter) {
    hostile *d = ctx;
    if (!d->crashed) {
        d->mark.counter = counter;
    }
}

ids_disk hostile_disk(hostile *d) {
    return (ids_disk){.ctx = d,
                      .open = open_file,
                      .close = close_file,
                      .size = size_of,
                      .allocate = allocate,
                      .write = write_some,
                      .zero = zero,
                      .push = push,
                      .read = read_some,
                      .sync = sync_file,
                      .rename = rename_file,
                      .remove = remove_file,
                      .sync_folder = sync_folder,
                      .list = list,
                      .free_bytes = free_bytes,
                      .identity = identity,
                      .mark = mark,
                      .set_mark = set_mark};
}

static void restart(hostile *d) {
    d->crashed = d->erred = false;
    d->crash_at = d->error_at = UINT64_MAX;
    reap(d);
}

void hostile_kill(hostile *d) {
    restart(d);
}

/* Drives lose all, nothing or some of what they were not asked to keep. */
static uint32_t mood(hostile *d) {
    static const uint32_t percents[] = {0, 100, 50, 90, 10};
    return percents[idt_rng_below(&d->rng, 5)];
}

void hostile_power_cut(hostile *d) {
    uint32_t sectors = mood(d);
    names_come_to_rest(d, mood(d));
    for (uint32_t i = 0; i < d->names; i++) {
        d->name[i].now = d->name[i].medium;
    }
    for (int i = 0; i < HOSTILE_FILES_MAX; i++) {
        hostile_file *f = &d->file[i];
        if (!f->used) {
            continue;
        }
        come_to_rest(d, f, sectors);
        f->size = idt_rng_chance(&d->rng, sectors) ? f->size : f->medium_size;
        f->medium_size = f->size;
        if (f->cap) {
            memset(f->state, CLEAN, f->cap / SECTOR);
            memset(f->medium + f->size, 0, f->cap - f->size);
            memcpy(f->cache, f->medium, f->cap);
        }
    }
    restart(d);
}
