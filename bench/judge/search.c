/* SPDX-License-Identifier: Apache-2.0 */
/* search.c -- see search.h. Pure, but for memory. */
#include "bench/judge/search.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 256, CANDIDATES_MAX = 256, UNHEARD_MAX = 24 };

/* Which answers are placed: all before base, and those marked behind it. */
typedef struct placed {
    size_t base;
    size_t count;
    uint64_t bits[WINDOW / 64];
} placed;

typedef struct memory_slot {
    uint64_t hash; /* 0: free */
    uint64_t now_ns, lease_end_ns, ttl_end_ns;
} memory_slot;

typedef struct search {
    nem_ask *heard; /* in the order of from_ns */
    size_t heard_count;
    nem_ask *unheard;
    size_t unheard_count;
    memory_slot *slots;
    size_t slots_used, slots_cap;
    uint64_t steps_max;
    nem_found found;
} search;

static bool is_placed(const placed *p, size_t i) {
    if (i < p->base)
        return true;
    i -= p->base;
    return i < WINDOW && (p->bits[i / 64] >> (i % 64) & 1) != 0;
}

static void shift(placed *p) {
    for (int i = 0; i < WINDOW / 64; i++) {
        uint64_t next = i + 1 < WINDOW / 64 ? p->bits[i + 1] : 0;
        p->bits[i] = p->bits[i] >> 1 | next << 63;
    }
    p->base++;
}

static void place(placed *p, size_t i) {
    i -= p->base;
    p->bits[i / 64] |= 1ull << (i % 64);
    p->count++;
    while (p->bits[0] & 1)
        shift(p);
}

/* --- where it has been */

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash + 0x632be59bd9b4e019ull) * 0x9e3779b97f4a7c15ull;
    hash = ((hash ^ hash >> 29) + word) * 0xbf58476d1ce4e5b9ull;
    return hash ^ hash >> 32;
}

static uint64_t hash_of(const placed *p, const nem_record *r) {
    uint64_t hash = mix(p->base, r->kind);
    for (int i = 0; i < WINDOW / 64; i++)
        hash = mix(hash, p->bits[i]);
    hash = mix(hash, (uint64_t)r->previous << 32 | r->fp);
    hash = mix(hash, (uint64_t)r->nonce << 32 | r->attempt);
    hash = mix(mix(hash, r->token.epoch), r->token.sequence);
    hash = mix(mix(hash, r->newest.epoch), r->newest.sequence);
    hash = mix(mix(hash, r->result.digest), r->class << 1 | r->result.given);
    hash = mix(mix(hash, r->lease_ms), r->ttl_ms);
    return hash == 0 ? 1 : hash;
}

static memory_slot *slot_of(search *s, const memory_slot *mark, bool *worse) {
    size_t at = mark->hash & (s->slots_cap - 1);
    *worse = false;
    for (; s->slots[at].hash != 0; at = (at + 1) & (s->slots_cap - 1)) {
        const memory_slot *m = &s->slots[at];
        if (m->hash == mark->hash && m->now_ns <= mark->now_ns &&
            m->lease_end_ns <= mark->lease_end_ns &&
            m->ttl_end_ns <= mark->ttl_end_ns) {
            *worse = true;
            break;
        }
    }
    return &s->slots[at];
}

static void grow_search(search *s) {
    memory_slot *old = s->slots;
    size_t old_cap = s->slots_cap;
    bool worse;
    s->slots_cap = old_cap == 0 ? 1024 : old_cap * 2;
    s->slots = calloc(s->slots_cap, sizeof *s->slots);
    if (s->slots == NULL)
        abort();
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].hash != 0)
            *slot_of(s, &old[i], &worse) = old[i];
    free(old);
}

/* Been here, and it was no later then? All that is possible now was possible
 * then. */
static bool been_here(search *s, const placed *p, const nem_record *r) {
    memory_slot mark = {hash_of(p, r), r->now_ns, r->lease_end_ns,
                        r->ttl_end_ns};
    bool worse;
    if (s->slots_used * 2 >= s->slots_cap)
        grow_search(s);
    memory_slot *slot = slot_of(s, &mark, &worse);
    if (!worse) {
        *slot = mark;
        s->slots_used++;
    }
    return worse;
}

/* --- what may come next */

typedef struct next {
    size_t at[CANDIDATES_MAX];
    size_t count;
    uint64_t until_ns; /* the next effect is no later than this */
    bool over;         /* more of them than fit */
} next;

static next next_of(const search *s, const placed *p) {
    next n = {.until_ns = NEM_NEVER};
    size_t i = p->base;
    for (; i < s->heard_count && s->heard[i].op->from_ns <= n.until_ns; i++) {
        if (is_placed(p, i))
            continue;
        if (n.count == CANDIDATES_MAX || i - p->base >= WINDOW) {
            n.over = true;
            return n;
        }
        if (s->heard[i].op->return_ns < n.until_ns)
            n.until_ns = s->heard[i].op->return_ns;
        n.at[n.count++] = i;
    }
    return n;
}

static bool place_what_shows(const search *s, placed *p, nem_record *r,
                             const next *n) {
    bool any = false;
    for (size_t i = 0; i < n->count; i++) {
        nem_record copy = *r;
        bool changed;
        if (s->heard[n->at[i]].op->from_ns <= n->until_ns &&
            nem_apply(&s->heard[n->at[i]], &copy, &changed) && !changed) {
            place(p, n->at[i]);
            any = true;
        }
    }
    return any;
}

static void remember_best(search *s, const placed *p, const nem_record *r,
                          const next *n) {
    if (p->count < s->found.placed && s->found.in_way != NULL)
        return;
    s->found.placed = p->count;
    s->found.record = *r;
    for (size_t i = 0; i < n->count; i++)
        if (s->heard[n->at[i]].op->return_ns == n->until_ns)
            s->found.in_way = s->heard[n->at[i]].op;
}

static bool go_on(search *s, placed p, nem_record r);

static bool try_heard(search *s, const placed *p, nem_record r, size_t at,
                      uint64_t until_ns) {
    const nem_ask *a = &s->heard[at];
    bool changed;
    if (a->op->invoke_ns > until_ns || !nem_apply(a, &r, &changed) ||
        r.now_ns > until_ns)
        return false;
    placed with = *p;
    place(&with, at);
    return go_on(s, with, r);
}

static bool try_unheard(search *s, const placed *p, nem_record r, size_t at,
                        uint64_t until_ns) {
    return r.unheard < UNHEARD_MAX &&
           nem_apply_unheard(&s->unheard[at], &r, until_ns) && go_on(s, *p, r);
}

/* With the record as it is, and with its retention over, if it may be. */
static bool try_all(search *s, const placed *p, const nem_record *r,
                    const next *n) {
    nem_record gone = *r;
    bool may_be_gone = nem_expire(&gone, n->until_ns);
    for (size_t i = 0; i < n->count; i++)
        if (try_heard(s, p, *r, n->at[i], n->until_ns) ||
            (may_be_gone && try_heard(s, p, gone, n->at[i], n->until_ns)))
            return true;
    for (size_t i = 0; i < s->unheard_count; i++) {
        if (s->unheard[i].op->invoke_ns > n->until_ns)
            break;
        if (try_unheard(s, p, *r, i, n->until_ns) ||
            (may_be_gone && try_unheard(s, p, gone, i, n->until_ns)))
            return true;
    }
    return false;
}

static bool go_on(search *s, placed p, nem_record r) {
    next n = next_of(s, &p);
    while (!n.over && n.count > 0 && place_what_shows(s, &p, &r, &n))
        n = next_of(s, &p);
    if (n.over || ++s->found.steps > s->steps_max) {
        s->found.verdict = NEM_UNDECIDED;
        return true;
    }
    if (n.count == 0)
        return true;
    remember_best(s, &p, &r, &n);
    return !been_here(s, &p, &r) && try_all(s, &p, &r, &n);
}

/* --- names as numbers, and who may have been heard by nobody */

static uint32_t name_of(const nem_op *ops, size_t count, size_t i,
                        size_t offset) {
    const char *name = (const char *)&ops[i] + offset;
    if (name[0] == '\0')
        return 0;
    for (size_t k = 0; k < count; k++)
        if (strcmp((const char *)&ops[k] + offset, name) == 0)
            return (uint32_t)k + 1;
    return 0;
}

/* A nonce that no other call has finds nobody's claim but its own call's;
 * and that call's answer then stands for both. */
static bool is_shared(const nem_op *ops, size_t count, size_t i) {
    for (size_t k = 0; k < count; k++)
        if (k != i && strcmp(ops[k].nonce, ops[i].nonce) == 0)
            return true;
    return false;
}

static bool same_effect(const nem_ask *a, const nem_ask *b) {
    return a->op->method == IDEM_ACQUIRE && b->op->method == IDEM_ACQUIRE &&
           a->fp == b->fp && a->nonce == b->nonce &&
           a->op->lease_ms == b->op->lease_ms &&
           a->op->ttl_ms == b->op->ttl_ms && a->op->report == b->op->report &&
           a->op->clock_ns == b->op->clock_ns;
}

static void add_unheard(search *s, nem_ask ask, bool shared) {
    if (!shared)
        ask.nonce = 0;
    for (size_t i = 0; i < s->unheard_count; i++)
        if (same_effect(&s->unheard[i], &ask))
            return; /* an earlier one does for both */
    s->unheard[s->unheard_count++] = ask;
}

static int by_from(const void *left, const void *right) {
    const nem_ask *a = left, *b = right;
    if (a->op->from_ns != b->op->from_ns)
        return a->op->from_ns < b->op->from_ns ? -1 : 1;
    return a->op < b->op ? -1 : a->op > b->op;
}

static void take_search(search *s, const nem_op *ops, size_t count) {
    for (size_t i = 0; i < count; i++) {
        nem_ask ask = {&ops[i], name_of(ops, count, i, offsetof(nem_op, fp)),
                       name_of(ops, count, i, offsetof(nem_op, nonce))};
        if (ops[i].end == NEM_ANSWERED)
            s->heard[s->heard_count++] = ask;
        if (ops[i].end == NEM_UNKNOWN ||
            (ops[i].end == NEM_ANSWERED && ops[i].again))
            add_unheard(s, ask, is_shared(ops, count, i));
    }
    if (s->heard_count > 0)
        qsort(s->heard, s->heard_count, sizeof *s->heard, by_from);
}

nem_found nem_search(const nem_op *ops, size_t count, uint64_t steps_max) {
    search s = {.steps_max = steps_max};
    s.heard = calloc(count + 1, sizeof *s.heard);
    s.unheard = calloc(count + 1, sizeof *s.unheard);
    if (s.heard == NULL || s.unheard == NULL)
        abort();
    take_search(&s, ops, count);
    s.found.verdict = NEM_LEGAL;
    bool fits = go_on(&s, (placed){0}, (nem_record){.kind = NEM_ABSENT});
    if (!fits)
        s.found.verdict = NEM_ILLEGAL;
    free(s.heard);
    free(s.unheard);
    free(s.slots);
    return s.found;
}
