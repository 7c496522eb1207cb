/* SPDX-License-Identifier: Apache-2.0 */
/* disk_history.c -- what was decided, and whether a recovery came to it. */
#include "tests/sim/disk_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every second key has a namespace. */
void disk_name_key(uint32_t key, char name[8]) {
    snprintf(name, 8, "key-%02u", key % DISK_KEYS);
}

uint32_t disk_key_of(idp_slice key) {
    return (uint32_t)(key.ptr[4] - '0') * 10 + (uint32_t)(key.ptr[5] - '0');
}

uint64_t disk_hash(const disk_world *w, uint32_t key) {
    uint64_t state = w->salt + key;
    return idt_splitmix(&state);
}

static idp_slice keep(uint8_t **at, idp_slice from) {
    idp_slice kept = {*at, from.len};
    if (from.len) {
        memcpy(*at, from.ptr, from.len);
    }
    *at += from.len;
    return kept;
}

static void fill(disk_entry *e, const ids_change *c, uint64_t now_ms) {
    uint8_t *at = e->bytes;
    e->change = *c;
    e->key = disk_key_of(c->key);
    e->change.ns = keep(&at, c->ns);
    e->change.key = keep(&at, c->key);
    e->change.fingerprint = keep(&at, c->fingerprint);
    e->change.nonce = keep(&at, c->nonce);
    e->change.result = keep(&at, c->result);
    assert(at <= e->bytes + sizeof e->bytes);
    e->taken_ms = now_ms;
    e->ttl_end = now_ms + c->ttl_left_ms;
    e->lease_end = now_ms + c->lease_left_ms;
}

void disk_note(void *ctx, const ids_change *change) {
    disk_loop *loop = ctx;
    ids_change numbered = *change;
    numbered.number = ids_journal_taken(loop->journal) + 1;
    disk_note_put(loop, &numbered);
    loop->world->tally->changes++;
    ids_journal_take(loop->journal, &numbered);
}

void disk_note_put(disk_loop *loop, const ids_change *change) {
    disk_history *h = loop->world->history;
    assert(h->count < DISK_ENTRIES_MAX);
    disk_entry *e = &h->entry[h->count++];
    fill(e, change, loop->world->now_ms);
    e->loop = loop->index;
}

static bool same(idp_slice a, idp_slice b) {
    return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

static bool claimed(idp_state state) {
    return state == IDP_STATE_IN_PROGRESS || state == IDP_STATE_ORPHANED;
}

/* The key as it was after so many changes of each log; NULL: absent. */
static const disk_entry *after(const disk_world *w, uint32_t key,
                               const uint64_t *number) {
    const disk_entry *last = NULL;
    for (uint32_t i = 0; i < w->history->count; i++) {
        const disk_entry *e = &w->history->entry[i];
        if (e->key == key && e->change.number <= number[e->loop]) {
            last = e;
        }
    }
    return last && last->change.state != IDP_STATE_ABSENT ? last : NULL;
}

static const char *difference(const ids_change *a, const ids_change *b) {
    if (a->state != b->state && !(claimed(a->state) && claimed(b->state))) {
        return "state";
    }
    if (a->token.epoch != b->token.epoch ||
        a->token.sequence != b->token.sequence) {
        return "token";
    }
    if (a->attempt != b->attempt || a->previous != b->previous) {
        return "attempt";
    }
    if (!same(a->fingerprint, b->fingerprint) || !same(a->nonce, b->nonce) ||
        !same(a->ns, b->ns)) {
        return "fingerprint, nonce or namespace";
    }
    if (a->class != b->class || a->has_result != b->has_result ||
        !same(a->result, b->result)) {
        return "result";
    }
    if (a->ttl_ms != b->ttl_ms ||
        (claimed(a->state) && a->lease_ms != b->lease_ms)) {
        return "lease or retention";
    }
    return NULL;
}

/* I13: what was left of a deadline is still left, and no more than there ever
 * was. */
static bool times_are_good(disk_world *w, const disk_entry *was,
                           const disk_entry *is, uint64_t clock_ms) {
    uint64_t ttl_left = was->ttl_end - w->now_ms;
    uint64_t lease_left =
        was->lease_end > w->now_ms ? was->lease_end - w->now_ms : 0;
    uint64_t lease_is = is->change.lease_left_ms;
    if (was->ttl_end > w->now_ms && is->change.ttl_left_ms < ttl_left) {
        return disk_fail(w,
                         "I13: key %u: %llu ms of its retention were left, "
                         "%llu are",
                         was->key, (unsigned long long)ttl_left,
                         (unsigned long long)is->change.ttl_left_ms);
    }
    if (claimed(was->change.state) && lease_is < lease_left) {
        return disk_fail(w,
                         "I13: key %u: %llu ms of its lease were left, "
                         "%llu are",
                         was->key, (unsigned long long)lease_left,
                         (unsigned long long)lease_is);
    }
    if (is->change.age_ms > clock_ms) {
        return disk_fail(w, "key %u: it is of a time after %llu", was->key,
                         (unsigned long long)clock_ms);
    }
    if (is->change.ttl_left_ms > was->ttl_end - was->taken_ms ||
        lease_is > was->lease_end - was->taken_ms) {
        return disk_fail(w,
                         "key %u: more is left than there ever was, at "
                         "%llu",
                         was->key, (unsigned long long)clock_ms);
    }
    return true;
}

bool disk_compare(disk_world *w, const disk_recovered *r, uint64_t clock_ms) {
    for (uint32_t key = 0; key < DISK_KEYS; key++) {
        const disk_entry *was = after(w, key, r->number);
        const disk_entry *is = r->there[key] ? &r->entry[key] : NULL;
        if (!was && is) {
            return disk_fail(w, "I14: key %u came from nowhere", key);
        }
        if (was && !is) {
            if (was->ttl_end <= w->now_ms) {
                continue; /* it has ended */
            }
            return disk_fail(w, "I14: key %u, change %llu of loop %u, is gone",
                             key, (unsigned long long)was->change.number,
                             was->loop);
        }
        if (!was) {
            continue;
        }
        const char *what = difference(&was->change, &is->change);
        if (what) {
            return disk_fail(w,
                             "I14: key %u, change %llu of loop %u: another "
                             "%s",
                             key, (unsigned long long)was->change.number,
                             was->loop, what);
        }
        if (!times_are_good(w, was, is, clock_ms)) {
            return false;
        }
    }
    return true;
}

static void move(idp_slice *slice, const uint8_t *from, uint8_t *to) {
    slice->ptr = slice->len ? to + (slice->ptr - from) : to;
}

void disk_copy_history(disk_history *to, const disk_history *from) {
    to->count = from->count;
    for (uint32_t i = 0; i < from->count; i++) {
        disk_entry *e = &to->entry[i];
        const uint8_t *was = from->entry[i].bytes;
        *e = from->entry[i];
        move(&e->change.ns, was, e->bytes);
        move(&e->change.key, was, e->bytes);
        move(&e->change.fingerprint, was, e->bytes);
        move(&e->change.nonce, was, e->bytes);
        move(&e->change.result, was, e->bytes);
    }
}

void disk_rebase(disk_world *w, const disk_recovered *r, uint64_t clock_ms) {
    w->history->count = 0;
    for (uint32_t key = 0; key < DISK_KEYS; key++) {
        if (r->there[key]) {
            disk_entry *e = &w->history->entry[w->history->count++];
            fill(e, &r->entry[key].change, clock_ms);
            e->change.number = 0;
            e->loop = 0;
        }
    }
}
