/* SPDX-License-Identifier: Apache-2.0 */
/* test_key_worlds.c -- whole worlds of nodes that join by key, made of key
 * rings and histories. Each rule of it is switched off once. */
#include "server/peer/history.h"
#include "server/peer/mutant.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ids_rule ids_rule_off = IDS_RULE_NONE;

/* For a few dozen names. */
#define RING_BYTES 4096

/* Nodes that change, follow, lag, take over, are cut off and come back: their
 * records are numbers, 0 where there is none. One leads; who follows it has
 * joined by key or with a copy, and has its records in the order in which they
 * were changed. What is checked: who is whole has the same as who leads, at
 * that moment. */
enum { NODES = 4, LOOPS = 3, KEYS = 50, LOG = 4000, STEPS = 500 };

typedef struct world_change {
    uint64_t number;
    uint32_t key, value;
} world_change;

typedef struct world_node {
    uint32_t loops;
    uint32_t table[KEYS];
    ids_key_ring ring[LOOPS];
    ids_history history;
    uint64_t epoch;       /* which it follows, or leads in */
    uint64_t last[LOOPS]; /* of a primary: its numbers */
    uint64_t pos[LOOPS];
    bool follows;
} world_node;

typedef struct world {
    idt_rng rng;
    ids_rule off;
    world_node node[NODES];
    world_change log[LOOPS][LOG]; /* of the epoch that is on */
    uint32_t log_count[LOOPS];
    uint64_t epoch, base[LOOPS];
    int leader;
    uint32_t value;
    uint64_t by_key, copies, cut_short;
    bool failed;
} world;

static bool is_off(const world *w, ids_rule rule) {
    return w->off == rule;
}

static void name_of(uint32_t key, char to[static 16]) {
    snprintf(to, 16, "k%u", key);
}

static uint32_t key_of(const ids_key_entry *entry) {
    uint32_t key = 0;
    for (size_t i = 1; i < entry->key.len; i++)
        key = 10 * key + (uint32_t)(entry->key.ptr[i] - '0');
    return key;
}

static void note_at(world_node *n, uint32_t key, ids_key_at at) {
    static const char long_ns[] =
        "shop-shop-shop-shop-shop-shop-shop-shop-shop-shop";
    char name[16];
    name_of(key, name);
    /* A long namespace, so that the least of rings has few. */
    ids_key_ring_note(&n->ring[key % n->loops], &at,
                      (idp_slice){(const uint8_t *)long_ns, strlen(long_ns)},
                      (idp_slice){(const uint8_t *)name, strlen(name)});
    ids_history_let_go(&n->history, &n->ring[key % n->loops]);
}

static void lead_world(world *w, int node) {
    world_node *n = &w->node[node];
    w->epoch++;
    w->leader = node;
    n->follows = false;
    n->epoch = w->epoch;
    for (uint32_t k = 0; k < LOOPS; k++) {
        w->base[k] = n->last[k];
        w->log_count[k] = 0;
    }
    ids_history_add(&n->history, w->epoch, n->loops, n->last);
}

static void change_one(world *w) {
    world_node *n = &w->node[w->leader];
    uint32_t key = idt_rng_below(&w->rng, KEYS), k = key % n->loops;
    uint32_t value = idt_rng_below(&w->rng, 4) == 0 ? 0 : ++w->value;
    if (w->log_count[k] == LOG)
        return;
    n->table[key] = value;
    n->last[k]++;
    w->log[k][w->log_count[k]++] = (world_change){n->last[k], key, value};
    note_at(n, key, (ids_key_at){w->epoch, n->last[k], k});
    ids_history_reached(&n->history, w->epoch, k, n->last[k]);
}

/* Some changes of one stream. */
static void follow_some(world *w, world_node *n, uint32_t most) {
    uint32_t k = idt_rng_below(&w->rng, w->node[w->leader].loops);
    while (most-- > 0 && n->pos[k] < w->base[k] + w->log_count[k]) {
        const world_change *c = &w->log[k][n->pos[k] - w->base[k]];
        n->table[c->key] = c->value;
        n->pos[k] = c->number;
        note_at(n, c->key, (ids_key_at){w->epoch, c->number, k});
        ids_history_reached(&n->history, w->epoch, k, c->number);
    }
}

static void collect_beyond(const world_node *n, const ids_common *common,
                           bool wanted[static KEYS]) {
    for (uint32_t i = 0; i < n->loops; i++) {
        ids_key_entry entry;
        uint64_t at = 0;
        while (ids_key_ring_next(&n->ring[i], &at, &entry))
            if (ids_key_is_beyond(&entry.at, common))
                wanted[key_of(&entry)] = true;
    }
}

static void become_whole(world *w, world_node *n) {
    const world_node *p = &w->node[w->leader];
    n->follows = true;
    n->epoch = w->epoch;
    memcpy(n->pos, p->last, sizeof n->pos);
    ids_history_add(&n->history, w->epoch, p->loops, n->pos);
    w->failed |= memcmp(n->table, p->table, sizeof n->table) != 0;
}

/* In place, and it may be cut short. */
static void join_by_key(world *w, world_node *n, const ids_common *common) {
    const world_node *p = &w->node[w->leader];
    bool wanted[KEYS] = {false};
    bool is_cut = idt_rng_below(&w->rng, 3) == 0;
    if (!is_off(w, IDS_RULE_K_THEIRS))
        collect_beyond(n, common, wanted);
    if (!is_off(w, IDS_RULE_K_OWN))
        collect_beyond(p, common, wanted);
    ids_history_drop(&n->history, w->epoch);
    n->follows = false;
    for (uint32_t key = 0; key < KEYS; key++) {
        if (!wanted[key] || (is_cut && idt_rng_below(&w->rng, 2) == 0) ||
            (p->table[key] == 0 && is_off(w, IDS_RULE_K_ABSENT)))
            continue;
        n->table[key] = p->table[key];
        if (!is_off(w, IDS_RULE_K_TOUCHED))
            note_at(n, key, (ids_key_at){w->epoch, 0, IDS_KEYS_TOUCHED});
    }
    w->by_key++;
    w->cut_short += is_cut;
    if (is_cut && is_off(w, IDS_RULE_K_WHOLE))
        ids_history_add(&n->history, w->epoch, p->loops, p->last);
    if (!is_cut)
        become_whole(w, n);
}

static void join(world *w, world_node *n) {
    const world_node *p = &w->node[w->leader];
    ids_common common;
    if (ids_history_common(&n->history, &p->history, &common)) {
        join_by_key(w, n, &common);
        return;
    }
    memcpy(n->table, p->table, sizeof n->table);
    ids_history_forget(&n->history);
    w->copies++;
    become_whole(w, n);
}

static void restart(world_node *n) {
    for (uint32_t k = 0; k < LOOPS; k++) {
        ids_key_ring_fini(&n->ring[k]);
        ids_key_ring_init(&n->ring[k], RING_BYTES);
    }
    memset(n->table, 0, sizeof n->table);
    ids_history_forget(&n->history);
    n->follows = false;
}

static void step_world(world *w) {
    int node = (int)idt_rng_below(&w->rng, NODES);
    world_node *n = &w->node[node];
    uint32_t what = idt_rng_below(&w->rng, 100);
    if (what < 50)
        change_one(w);
    else if (node == w->leader)
        return;
    else if (what < 80 && n->follows)
        follow_some(w, n, 1 + idt_rng_below(&w->rng, 5));
    else if (what < 92)
        join(w, n);
    else if (what < 99)
        lead_world(w, node);
    else
        restart(n);
    for (int i = 0; i < NODES && w->leader == node; i++)
        w->node[i].follows = false;
}

/* False: two were not the same. */
static bool run_world(world *w, uint64_t seed, ids_rule off) {
    memset(w, 0, sizeof *w);
    idt_rng_seed(&w->rng, seed);
    w->off = ids_rule_off = off;
    for (int i = 0; i < NODES; i++) {
        w->node[i].loops = 1 + idt_rng_below(&w->rng, LOOPS);
        restart(&w->node[i]);
    }
    lead_world(w, 0);
    for (int i = 0; i < STEPS && !w->failed; i++)
        step_world(w);
    for (int i = 0; i < NODES; i++)
        for (uint32_t k = 0; k < LOOPS; k++)
            ids_key_ring_fini(&w->node[i].ring[k]);
    ids_rule_off = IDS_RULE_NONE;
    return !w->failed;
}

Test(key_worlds, whoever_is_whole_has_the_same) {
    world *w = malloc(sizeof *w);
    uint64_t by_key = 0, copies = 0, cut_short = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        cr_assert(run_world(w, seed, IDS_RULE_NONE), "world %llu",
                  (unsigned long long)seed);
        by_key += w->by_key;
        copies += w->copies;
        cut_short += w->cut_short;
    }
    cr_assert_gt(by_key, copies);
    cr_assert_gt(copies, 100);
    cr_assert_gt(cut_short, 100);
    free(w);
}

Test(key_worlds, without_any_one_rule_they_have_not) {
    static const ids_rule rules[] = {IDS_RULE_K_THEIRS, IDS_RULE_K_OWN,
                                     IDS_RULE_K_ABSENT, IDS_RULE_K_TOUCHED,
                                     IDS_RULE_K_WHOLE,  IDS_RULE_K_LOW,
                                     IDS_RULE_K_LATER};
    world *w = malloc(sizeof *w);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        uint64_t seed = 1;
        while (seed <= 1500 && run_world(w, seed, rules[i]))
            seed++;
        cr_assert_leq(seed, 1500, "rule %zu is not needed", i);
    }
    free(w);
}
