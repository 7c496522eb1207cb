/* SPDX-License-Identifier: Apache-2.0 */
/* failures.c -- see failures.h: a hash table with chains, and all of its rows
 * in the order of their last failure. */
#include "server/access/failures.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS  (2 * IDS_FAILURES_SOURCES_MAX)
#define NONE    UINT32_MAX
#define BACK_MS 1000

typedef struct row {
    ids_source source;
    uint64_t full_ms; /* then its bucket is full again */
    uint32_t chained; /* the next of its chain */
    uint32_t older, newer;
} row;

struct ids_failures {
    uint8_t key[crypto_shorthash_KEYBYTES]; /* nobody outside aims at a chain */
    row *rows;                              /* NULL: no failure yet */
    uint32_t *chains;
    uint32_t count;
    uint32_t oldest, newest;
};

ids_failures *ids_failures_new(void) {
    ids_failures *f = calloc(1, sizeof *f);
    if (f) {
        crypto_shorthash_keygen(f->key);
        f->oldest = f->newest = NONE;
    }
    return f;
}

void ids_failures_free(ids_failures *f) {
    if (!f)
        return;
    free(f->rows);
    free(f->chains);
    free(f);
}

static bool has_memory(ids_failures *f) {
    if (f->rows)
        return true;
    f->rows = calloc(IDS_FAILURES_SOURCES_MAX, sizeof *f->rows);
    f->chains = malloc(CHAINS * sizeof *f->chains);
    if (f->rows && f->chains) {
        memset(f->chains, 0xff, CHAINS * sizeof *f->chains);
        return true;
    }
    free(f->rows);
    free(f->chains);
    f->rows = NULL;
    f->chains = NULL;
    return false;
}

static uint32_t *chain_of(const ids_failures *f, const ids_source *source) {
    uint64_t hash;
    uint8_t bytes[crypto_shorthash_BYTES];
    crypto_shorthash(bytes, source->bytes, sizeof source->bytes, f->key);
    memcpy(&hash, bytes, sizeof hash);
    return &f->chains[hash % CHAINS];
}

static void leave_order(ids_failures *f, uint32_t at) {
    const row *one = &f->rows[at];
    if (one->older == NONE)
        f->oldest = one->newer;
    else
        f->rows[one->older].newer = one->newer;
    if (one->newer == NONE)
        f->newest = one->older;
    else
        f->rows[one->newer].older = one->older;
}

static void become_newest(ids_failures *f, uint32_t at) {
    row *one = &f->rows[at];
    one->older = f->newest;
    one->newer = NONE;
    if (f->newest == NONE)
        f->oldest = at;
    else
        f->rows[f->newest].newer = at;
    f->newest = at;
}

static void leave_chain(ids_failures *f, uint32_t at) {
    uint32_t *link = chain_of(f, &f->rows[at].source);
    while (*link != at)
        link = &f->rows[*link].chained;
    *link = f->rows[at].chained;
}

/* A row for a source that has none: a free one, or the oldest. */
static uint32_t take_failure_row(ids_failures *f) {
    if (f->count < IDS_FAILURES_SOURCES_MAX)
        return f->count++;
    uint32_t at = f->oldest;
    leave_chain(f, at);
    leave_order(f, at);
    return at;
}

static row *failure_row_of(ids_failures *f, const ids_source *source) {
    uint32_t *chain = chain_of(f, source);
    uint32_t at = *chain;
    while (at != NONE &&
           memcmp(&f->rows[at].source, source, sizeof *source) != 0)
        at = f->rows[at].chained;
    if (at != NONE) {
        leave_order(f, at);
    } else {
        at = take_failure_row(f);
        f->rows[at] = (row){.source = *source, .chained = *chain};
        *chain = at;
    }
    become_newest(f, at);
    return &f->rows[at];
}

/* full_ms runs ahead of the time by a second for each that the bucket lacks. */
bool ids_failures_note(ids_failures *f, const ids_source *source,
                       uint64_t now_ms) {
    if (!has_memory(f))
        return true;
    row *one = failure_row_of(f, source);
    if (one->full_ms < now_ms)
        one->full_ms = now_ms;
    if (one->full_ms - now_ms > (uint64_t)(IDS_FAILURES_BUCKET - 1) * BACK_MS)
        return true;
    one->full_ms += BACK_MS;
    return false;
}

uint32_t ids_failures_sources(const ids_failures *f) {
    return f->count;
}
