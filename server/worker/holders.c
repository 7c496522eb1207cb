/* SPDX-License-Identifier: Apache-2.0 */
/* holders.c -- see holders.h. */
#include "server/worker/holders.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 1024u

/* Filled while nobody has its number, and only read from then on. */
typedef struct entry {
    uint64_t hash;
    char user[IDP_USER_BYTES_MAX + 1];
    char *client;
    char from[IDS_HOLDER_FROM_BYTES];
    bool is_used, is_name;
    uint32_t conns;
    uint64_t left_ms; /* the last of them */
    uint32_t next;    /* in its chain, or of the free ones; 0: none */
} entry;

/* What one worker has found with its last look. */
typedef struct look {
    uint64_t since_ms;
    uint64_t found[IDS_HOLDER_WORDS];
} look;

struct ids_holders {
    pthread_mutex_t lock;
    uint32_t loops, names, free;
    bool is_full; /* and nobody has looked since */
    uint32_t chains[CHAINS];
    look *looks;
    entry all[IDS_HOLDERS_MAX + 1];
};

ids_holders *ids_holders_new(uint32_t loops) {
    ids_holders *holders = calloc(1, sizeof *holders);
    look *looks = calloc(loops, sizeof *looks);
    if (!holders || !looks) {
        free(looks);
        free(holders);
        return NULL;
    }
    pthread_mutex_init(&holders->lock, NULL);
    holders->loops = loops;
    holders->looks = looks;
    for (uint32_t by = IDS_HOLDERS_MAX; by > 0; by--) {
        holders->all[by].next = holders->free;
        holders->free = by;
    }
    return holders;
}

void ids_holders_free(ids_holders *holders) {
    if (!holders)
        return;
    for (uint32_t by = 1; by <= IDS_HOLDERS_MAX; by++)
        free(holders->all[by].client);
    pthread_mutex_destroy(&holders->lock);
    free(holders->looks);
    free(holders);
}

/* FNV-1a; whoever makes chains long makes its own first acquire slow. */
static uint64_t hash_text(uint64_t hash, const char *text) {
    do
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
    while (*text++);
    return hash;
}

static bool is_same_holder(const entry *e, uint64_t hash, const char *user,
                           const char *client, const char *from) {
    return e->hash == hash && strcmp(e->user, user) == 0 &&
           strcmp(e->client ? e->client : "", client) == 0 &&
           strcmp(e->from, from) == 0;
}

static uint32_t find_holder(const ids_holders *holders, uint64_t hash,
                            const char *user, const char *client,
                            const char *from) {
    uint32_t by = holders->chains[hash % CHAINS];
    while (by && !is_same_holder(&holders->all[by], hash, user, client, from))
        by = holders->all[by].next;
    return by;
}

/* Every worker has looked since its last connection left, and found none. */
static bool is_nobodys(const ids_holders *holders, uint32_t by) {
    const entry *e = &holders->all[by];
    if (!e->is_used || e->is_name || e->conns)
        return false;
    for (uint32_t i = 0; i < holders->loops; i++) {
        const look *one = &holders->looks[i];
        if (one->since_ms <= e->left_ms + IDS_HOLDER_GRACE_MS ||
            one->found[by / 64] >> by % 64 & 1)
            return false;
    }
    return true;
}

static void give_back(ids_holders *holders, uint32_t by) {
    entry *e = &holders->all[by];
    uint32_t *at = &holders->chains[e->hash % CHAINS];
    while (*at != by)
        at = &holders->all[*at].next;
    *at = e->next;
    free(e->client);
    *e = (entry){.next = holders->free};
    holders->free = by;
}

/* Those that nobody has any more: when there is none left, once per look. */
static void collect(ids_holders *holders) {
    if (holders->is_full)
        return;
    for (uint32_t by = 1; by <= IDS_HOLDERS_MAX; by++)
        if (is_nobodys(holders, by))
            give_back(holders, by);
    holders->is_full = !holders->free;
}

static uint32_t make_holder(ids_holders *holders, uint64_t hash,
                            const char *user, const char *client,
                            const char *from) {
    char *copy = *client ? strdup(client) : NULL;
    if (!holders->free)
        collect(holders);
    uint32_t by = holders->free;
    if (!by || (*client && !copy)) {
        free(copy);
        return 0;
    }
    entry *e = &holders->all[by];
    holders->free = e->next;
    *e = (entry){.hash = hash,
                 .client = copy,
                 .is_used = true,
                 .next = holders->chains[hash % CHAINS]};
    snprintf(e->user, sizeof e->user, "%s", user);
    snprintf(e->from, sizeof e->from, "%s", from);
    holders->chains[hash % CHAINS] = by;
    return by;
}

static uint32_t find_or_make(ids_holders *holders, const char *user,
                             const char *client, const char *from) {
    uint64_t hash = hash_text(0xcbf29ce484222325ull, user);
    hash = hash_text(hash_text(hash, client), from);
    uint32_t by = find_holder(holders, hash, user, client, from);
    return by ? by : make_holder(holders, hash, user, client, from);
}

static uint32_t holder_name_alone(ids_holders *holders, const char *user) {
    if (!*user)
        return 0;
    uint64_t hash = hash_text(0xcbf29ce484222325ull, user);
    hash = hash_text(hash_text(hash, ""), "");
    uint32_t by = find_holder(holders, hash, user, "", "");
    if (!by && holders->names < IDS_HOLDER_NAMES_MAX)
        by = make_holder(holders, hash, user, "", "");
    if (by && !holders->all[by].is_name) {
        holders->all[by].is_name = true;
        holders->names++;
    }
    return by;
}

uint32_t ids_holders_enter(ids_holders *holders, const char *user,
                           const ids_who *who, uint64_t now_ms) {
    char from[IDS_HOLDER_FROM_BYTES];
    ids_who_host(who, from);
    pthread_mutex_lock(&holders->lock);
    uint32_t by =
        find_or_make(holders, user, who->client ? who->client : "", from);
    if (!by)
        by = holder_name_alone(holders, user);
    if (by) {
        holders->all[by].conns++;
        holders->all[by].left_ms = now_ms;
    }
    pthread_mutex_unlock(&holders->lock);
    return by;
}

void ids_holders_leave(ids_holders *holders, uint32_t by, uint64_t now_ms) {
    if (!by)
        return;
    pthread_mutex_lock(&holders->lock);
    assert(holders->all[by].is_used && holders->all[by].conns > 0);
    holders->all[by].conns--;
    if (holders->all[by].left_ms < now_ms)
        holders->all[by].left_ms = now_ms;
    pthread_mutex_unlock(&holders->lock);
}

uint32_t ids_holders_name(ids_holders *holders, idp_slice user) {
    char name[IDP_USER_BYTES_MAX + 1];
    assert(user.len <= IDP_USER_BYTES_MAX);
    snprintf(name, sizeof name, "%.*s", (int)user.len, (const char *)user.ptr);
    pthread_mutex_lock(&holders->lock);
    uint32_t by = holder_name_alone(holders, name);
    pthread_mutex_unlock(&holders->lock);
    return by;
}

idp_slice ids_holders_user(const ids_holders *holders, uint32_t by) {
    assert(by <= IDS_HOLDERS_MAX);
    const char *user = holders->all[by].user;
    return (idp_slice){(const uint8_t *)user, strlen(user)};
}

void ids_holders_get(ids_holders *holders, uint32_t by, ids_holder *to) {
    *to = (ids_holder){.user = ""};
    assert(by <= IDS_HOLDERS_MAX);
    pthread_mutex_lock(&holders->lock);
    const entry *e = &holders->all[by];
    memcpy(to->user, e->user, sizeof to->user);
    memcpy(to->from, e->from, sizeof to->from);
    snprintf(to->client, sizeof to->client, "%s", e->client ? e->client : "");
    pthread_mutex_unlock(&holders->lock);
}

void ids_holders_looked(ids_holders *holders, uint32_t loop, uint64_t since_ms,
                        const uint64_t found[static IDS_HOLDER_WORDS]) {
    assert(loop < holders->loops);
    pthread_mutex_lock(&holders->lock);
    look *one = &holders->looks[loop];
    one->since_ms = since_ms;
    memcpy(one->found, found, sizeof one->found);
    holders->is_full = false;
    pthread_mutex_unlock(&holders->lock);
}
