/* SPDX-License-Identifier: Apache-2.0 */
/* rates.c -- see the header. A list that is searched from where the last search
 * ended: the numbers of one look come in the order of the look before. */
#include "client/ctl/rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 8192
#define NAME_CHARS  192 /* of scope and name, joined; the rest is cut off */

typedef struct entry {
    char *name;
    uint64_t value;
    uint64_t turn; /* of the value */
} entry;

static struct {
    entry *entries;
    size_t count, cap;
    size_t at; /* where the next one is looked for first */
    uint64_t turn;
    uint64_t now_ms, before_ms;
    char scope[NAME_CHARS / 2];
} it;

void rates_turn(uint64_t now_ms) {
    it.turn++;
    it.before_ms = it.now_ms;
    it.now_ms = now_ms;
    it.scope[0] = '\0';
}

bool rates_on(void) {
    return it.turn > 0;
}

void rates_scope(const void *name, size_t len) {
    size_t kept = len < sizeof it.scope - 1 ? len : sizeof it.scope - 1;
    if (kept > 0)
        memcpy(it.scope, name, kept);
    it.scope[kept] = '\0';
}

static entry *find_rate(const char *name) {
    for (size_t i = 0; i < it.count; i++) {
        size_t at = (it.at + i) % it.count;
        if (strcmp(it.entries[at].name, name) == 0) {
            it.at = at + 1;
            return &it.entries[at];
        }
    }
    return NULL;
}

static entry *add(const char *name) {
    if (it.count == it.cap) {
        size_t cap = it.cap == 0 ? 64 : 2 * it.cap;
        entry *moved =
            cap > ENTRIES_MAX ? NULL : realloc(it.entries, cap * sizeof *moved);
        if (moved == NULL)
            return NULL;
        it.entries = moved;
        it.cap = cap;
    }
    char *own = strdup(name);
    if (own == NULL)
        return NULL;
    it.entries[it.count] = (entry){.name = own};
    return &it.entries[it.count++];
}

bool rates_of(const char *name, size_t len, uint64_t value, double *per_s) {
    char whole[NAME_CHARS];
    if (!rates_on())
        return false;
    snprintf(whole, sizeof whole, "%s/%.*s", it.scope, (int)(len & 0xff), name);
    entry *of = find_rate(whole);
    bool is_known = of != NULL && of->turn + 1 == it.turn &&
                    it.now_ms > it.before_ms && of->value != value;
    if (of == NULL && (of = add(whole)) == NULL)
        return false;
    if (is_known)
        *per_s = ((double)value - (double)of->value) * 1000 /
                 (double)(it.now_ms - it.before_ms);
    of->value = value;
    of->turn = it.turn;
    return is_known;
}

void rates_end(void) {
    for (size_t i = 0; i < it.count; i++)
        free(it.entries[i].name);
    free(it.entries);
    memset(&it, 0, sizeof it);
}
