/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c -- see ledger.h. Pure. */
#include "server/core/ledger.h"

#include "server/core/record.h"

#include <assert.h>

#define SEGMENT_BYTES (IDS_NS_SEGMENT * sizeof(ids_ledger_place))

static void lock_ledger(const ids_ledger *ledger) {
    if (ledger->config.lock != NULL)
        ledger->config.lock(ledger->config.lock_ctx);
}

static void unlock_ledger(const ids_ledger *ledger) {
    if (ledger->config.unlock != NULL)
        ledger->config.unlock(ledger->config.lock_ctx);
}

/* There is room for a place of this number. */
static bool reach(ids_ledger *ledger, uint32_t number) {
    ids_ledger_place **segment = &ledger->segments[number / IDS_NS_SEGMENT];
    const ids_mem *mem = &ledger->config.mem;
    assert(number < IDS_NS_NUMBERS);
    if (*segment != NULL)
        return true;
    *segment = mem->alloc(mem->ctx, SEGMENT_BYTES);
    if (*segment != NULL)
        memset(*segment, 0, SEGMENT_BYTES);
    return *segment != NULL;
}

ids_ledger *ids_ledger_new(const ids_ledger_config *config) {
    ids_ledger *ledger = config->mem.alloc(config->mem.ctx, sizeof *ledger);
    assert(config->shards > 0);
    if (ledger == NULL)
        return NULL;
    memset(ledger, 0, sizeof *ledger);
    ledger->config = *config;
    ledger->used = IDS_NS_OTHER + 1;
    if (!reach(ledger, IDS_NS_OTHER)) {
        config->mem.free(config->mem.ctx, ledger, sizeof *ledger);
        return NULL;
    }
    ids_ledger_at(ledger, IDS_NS_OTHER)->named = true;
    return ledger;
}

void ids_ledger_free(ids_ledger *ledger) {
    ids_mem mem;
    if (ledger == NULL)
        return;
    mem = ledger->config.mem;
    assert(ledger->used > IDS_NS_OTHER);
    for (uint32_t i = 0; i < IDS_NS_SEGMENTS; i++)
        if (ledger->segments[i] != NULL)
            mem.free(mem.ctx, ledger->segments[i], SEGMENT_BYTES);
    mem.free(mem.ctx, ledger, sizeof *ledger);
}

/* Names ------------------------------------------------------------------- */

static uint16_t *ledger_bucket_of(ids_ledger *ledger, idp_slice ns) {
    return &ledger->buckets[ids_ns_hash(ns) % IDS_LEDGER_BUCKETS];
}

static uint32_t find_ledger_name(ids_ledger *ledger, idp_slice ns) {
    uint32_t number = *ledger_bucket_of(ledger, ns);
    assert(ns.len <= IDP_NS_BYTES_MAX);
    while (number != 0 && !ids_slice_equal(ids_ledger_ns(ledger, number), ns))
        number = ids_ledger_at(ledger, number)->next;
    assert(number != IDS_NS_OTHER);
    return number;
}

/* A number for this name; 0: no memory, or all are taken. */
static uint32_t add_ledger_name(ids_ledger *ledger, idp_slice ns) {
    uint16_t *bucket = ledger_bucket_of(ledger, ns);
    uint32_t number = ledger->free;
    ids_ledger_place *place;
    if (number == 0) {
        if (ledger->used == IDS_NS_NUMBERS || !reach(ledger, ledger->used))
            return 0;
        number = ledger->used++;
    } else {
        ledger->free = ids_ledger_at(ledger, number)->next;
    }
    place = ids_ledger_at(ledger, number);
    assert(place->pins == 0 && !place->named && !place->idle);
    assert(place->records == 0 && place->bytes == 0);
    *place = (ids_ledger_place){.next = *bucket, .ns_len = (uint8_t)ns.len};
    ids_append(place->ns, ns);
    *bucket = (uint16_t)number;
    ledger->others++;
    return number;
}

static void take_out(ids_ledger *ledger, uint32_t number) {
    ids_ledger_place *place = ids_ledger_at(ledger, number);
    uint16_t *link = ledger_bucket_of(ledger, ids_ledger_ns(ledger, number));
    assert(place->pins == 0 && !place->named && !place->idle);
    assert(ledger->others > 0);
    while (*link != number) {
        assert(*link != 0);
        link = &ids_ledger_at(ledger, *link)->next;
    }
    *link = place->next;
    place->next = ledger->free;
    ledger->free = (uint16_t)number;
    ledger->others--;
}

/* Numbers that nobody has pinned ------------------------------------------ */

static bool at_rest(const ids_ledger_place *place, uint64_t now_ms) {
    return __atomic_load_n(&place->spent_units, __ATOMIC_RELAXED) <=
           now_ms * IDS_RATE_UNITS_MS;
}

static void list_idle(ids_ledger *ledger, uint32_t number) {
    ids_ledger_place *place = ids_ledger_at(ledger, number);
    assert(!place->idle && place->pins == 0);
    assert(number > IDS_NS_OTHER);
    place->idle = true;
    place->later = 0;
    if (ledger->idle_last != 0)
        ids_ledger_at(ledger, ledger->idle_last)->later = (uint16_t)number;
    else
        ledger->idle_first = (uint16_t)number;
    ledger->idle_last = (uint16_t)number;
}

/* Its rate would be forgotten with it, and be a fresh one the next time. */
static void let_go(ids_ledger *ledger, uint32_t number, uint64_t now_ms) {
    ids_ledger_place *place = ids_ledger_at(ledger, number);
    assert(place->pins == 0);
    if (place->named || place->idle)
        return;
    if (at_rest(place, now_ms))
        take_out(ledger, number);
    else
        list_idle(ledger, number);
}

/* The idle one that became so first, if its rate is at rest by now. */
static bool reclaim(ids_ledger *ledger, uint64_t now_ms) {
    uint32_t number = ledger->idle_first;
    ids_ledger_place *place;
    if (number == 0)
        return false;
    place = ids_ledger_at(ledger, number);
    assert(place->idle);
    if (place->pins == 0 && !place->named && !at_rest(place, now_ms))
        return false;
    ledger->idle_first = place->later;
    if (ledger->idle_first == 0)
        ledger->idle_last = 0;
    place->idle = false;
    if (place->pins == 0 && !place->named)
        take_out(ledger, number);
    return true;
}

static uint32_t find_or_add(ids_ledger *ledger, idp_slice ns, uint64_t now_ms) {
    uint32_t number = find_ledger_name(ledger, ns);
    assert(ledger->used <= IDS_NS_NUMBERS);
    if (number != 0)
        return number;
    for (int i = 0; i < 2 && reclaim(ledger, now_ms); i++)
        ;
    return ledger->others < IDS_NS_OTHERS_MAX ? add_ledger_name(ledger, ns) : 0;
}

uint32_t ids_ledger_pin(ids_ledger *ledger, idp_slice ns, uint64_t now_ms) {
    uint32_t number;
    assert(ns.len <= IDP_NS_BYTES_MAX);
    lock_ledger(ledger);
    number = find_or_add(ledger, ns, now_ms);
    if (number != 0)
        ids_ledger_at(ledger, number)->pins++;
    unlock_ledger(ledger);
    return number != 0 ? number : IDS_NS_OTHER;
}

void ids_ledger_unpin(ids_ledger *ledger, uint32_t number, uint64_t now_ms) {
    ids_ledger_place *place = ids_ledger_at(ledger, number);
    assert(number > IDS_NS_OTHER);
    lock_ledger(ledger);
    assert(place->pins > 0);
    if (--place->pins == 0)
        let_go(ledger, number, now_ms);
    unlock_ledger(ledger);
}

uint32_t ids_ledger_named(ids_ledger *ledger, idp_slice ns) {
    uint32_t number;
    lock_ledger(ledger);
    number = find_ledger_name(ledger, ns);
    if (number != 0 && !ids_ledger_at(ledger, number)->named)
        number = IDS_NS_NONE;
    unlock_ledger(ledger);
    return number;
}

/* Limits by name ---------------------------------------------------------- */

static idp_slice ledger_name_of(const ids_named_limits *named) {
    return (idp_slice){named->ns, named->ns_len};
}

/* They all have a number, pinned for now; those that came before them. */
static bool pin_ledger_named(ids_ledger *ledger,
                             const ids_ns_limits_table *limits,
                             uint32_t *pinned) {
    for (*pinned = 0; *pinned < limits->count; ++*pinned) {
        idp_slice ns = ledger_name_of(&limits->named[*pinned]);
        uint32_t number = find_ledger_name(ledger, ns);
        if (number == 0)
            number = add_ledger_name(ledger, ns);
        if (number == 0)
            return false;
        ids_ledger_at(ledger, number)->pins++;
    }
    return true;
}

static void unname_all(ids_ledger *ledger, uint64_t now_ms) {
    for (uint32_t number = IDS_NS_OTHER + 1; number < ledger->used; number++) {
        ids_ledger_place *place = ids_ledger_at(ledger, number);
        if (!place->named)
            continue;
        place->named = false;
        ledger->others++;
        if (place->pins == 0)
            let_go(ledger, number, now_ms);
    }
}

static void name_pinned(ids_ledger *ledger, const ids_ns_limits_table *limits,
                        uint32_t count, bool name, uint64_t now_ms) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number =
            find_ledger_name(ledger, ledger_name_of(&limits->named[i]));
        ids_ledger_place *place = ids_ledger_at(ledger, number);
        assert(number != 0 && place->pins > 0);
        if (name) {
            assert(!place->named && ledger->others > 0);
            place->named = true;
            ledger->others--;
        }
        if (--place->pins == 0)
            let_go(ledger, number, now_ms);
    }
}

bool ids_ledger_name(ids_ledger *ledger, const ids_ns_limits_table *limits,
                     uint64_t now_ms) {
    uint32_t pinned;
    bool good;
    assert(limits->count <= IDS_NAMED_LIMITS_MAX);
    lock_ledger(ledger);
    good = pin_ledger_named(ledger, limits, &pinned);
    assert(pinned <= limits->count);
    if (good)
        unname_all(ledger, now_ms);
    name_pinned(ledger, limits, pinned, good, now_ms);
    unlock_ledger(ledger);
    return good;
}
