/* SPDX-License-Identifier: Apache-2.0 */
/* disk_damage.c -- what time does to a medium: a bit flips, a file is lost, a
 * write once went astray. On what is there, not on what is written. */
#include "server/journal/frame.h"
#include "tests/sim/disk_hostile.h"

#include <assert.h>
#include <string.h>

static hostile_name *name_of(hostile *d, const char *text) {
    for (uint32_t i = 0; i < d->names; i++) {
        if (d->name[i].now >= 0 && !strcmp(d->name[i].text, text)) {
            return &d->name[i];
        }
    }
    assert(!"a file that is there");
    return NULL;
}

static hostile_file *file_of(hostile *d, const char *text) {
    return &d->file[name_of(d, text)->now];
}

const char *hostile_nth(const hostile *d, uint32_t n) {
    for (uint32_t i = 0; i < d->names; i++) {
        if (d->name[i].now >= 0 && n-- == 0) {
            return d->name[i].text;
        }
    }
    return NULL;
}

void hostile_flip(hostile *d, const char *text, idt_rng *rng, uint64_t *at,
                  int *bit) {
    hostile_file *f = file_of(d, text);
    size_t used = f->size;
    while (used > 1 && f->cache[used - 1] == 0) {
        used--;
    }
    *bit = (int)idt_rng_below(rng, 8);
    *at = idt_rng_chance(rng, 95) || used == 0 ? used : f->size;
    *at = *at ? idt_rng_below(rng, (uint32_t)*at) : 0;
    if (f->cap) {
        f->cache[*at] ^= (uint8_t)(1u << *bit);
        f->medium[*at] ^= (uint8_t)(1u << *bit);
    }
}

bool hostile_misdirect(hostile *d, const char *text, idt_rng *rng) {
    hostile_file *f = file_of(d, text);
    size_t at[64], bytes[64], offset = IDS_FILE_HEAD_BYTES;
    uint32_t count = 0;
    ids_file_head head;
    ids_frame frame;
    if (ids_file_head_check(f->cache, f->size, IDS_LOG_MAGIC, &head) !=
        IDS_FILE_OK) {
        return false;
    }
    while (count < 64 && ids_frame_check(f->cache + offset, f->size - offset,
                                         head.crc, &frame) == IDS_FRAME_WHOLE) {
        at[count] = offset;
        bytes[count] = ids_frame_bytes(frame.body_bytes);
        offset += bytes[count++];
    }
    for (int tries = 0; tries < 50 && count > 1; tries++) {
        uint32_t from = idt_rng_below(rng, count);
        uint32_t to = idt_rng_below(rng, count);
        if (from != to && bytes[from] == bytes[to]) {
            memcpy(f->cache + at[to], f->cache + at[from], bytes[to]);
            memcpy(f->medium + at[to], f->cache + at[from], bytes[to]);
            return true;
        }
    }
    return false;
}

void hostile_lose(hostile *d, const char *text) {
    hostile_name *name = name_of(d, text);
    name->now = name->medium = -1;
}

void hostile_make_copy(hostile *d, idt_rng *rng) {
    d->is_copy = true;
    if (idt_rng_chance(rng, 30)) { /* by hard links */
        d->mark.counter += 2;
        return;
    }
    for (int i = 0; i < HOSTILE_FILES_MAX; i++) {
        d->file[i].made += 1000000;
    }
    if (idt_rng_chance(rng, 50)) {
        d->mark.identity = ids_identity_from(2, 2);
    }
}

bool hostile_has(const hostile *d, const char *name) {
    for (uint32_t i = 0; i < d->names; i++) {
        if (d->name[i].now >= 0 && strcmp(d->name[i].text, name) == 0) {
            return true;
        }
    }
    return false;
}
