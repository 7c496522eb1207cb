/* SPDX-License-Identifier: Apache-2.0 */
/* selector.c -- see selector.h. */
#include "client/src/selector.h"

#include <string.h>

#include "client/src/error.h"
#include "proto/owner.h"

void idem__selector_init(idem__selector *selector, const idem__uri *uri) {
    memset(selector, 0, sizeof *selector);
    selector->uri = uri;
    atomic_init(&selector->serial, 1);
    pthread_mutex_init(&selector->lock, NULL);
}

void idem__selector_fini(idem__selector *selector) {
    pthread_mutex_destroy(&selector->lock);
}

uint64_t idem__selector_get(idem__selector *selector,
                            idem__endpoint *endpoint) {
    pthread_mutex_lock(&selector->lock);
    *endpoint = selector->has_redirect
                    ? selector->redirect
                    : selector->uri->endpoints[selector->index];
    uint64_t serial = atomic_load(&selector->serial);
    pthread_mutex_unlock(&selector->lock);
    return serial;
}

/* The lock is held. */
static void move_on(idem__selector *selector) {
    uint32_t count = selector->uri->endpoints_count;
    if (count == 1 && !selector->has_redirect)
        return; /* there is no other */
    selector->has_redirect = false;
    selector->index = (selector->index + 1) % count;
    selector->shards = 0;
    atomic_fetch_add(&selector->serial, 1);
}

void idem__selector_failed(idem__selector *selector, uint64_t serial) {
    pthread_mutex_lock(&selector->lock);
    if (atomic_load(&selector->serial) == serial)
        move_on(selector);
    pthread_mutex_unlock(&selector->lock);
}

bool idem__selector_denied(idem__selector *selector, uint64_t serial,
                           uint64_t now_ms) {
    if (selector->uri->endpoints_count == 1)
        return false;
    pthread_mutex_lock(&selector->lock);
    bool is_other = atomic_load(&selector->serial) != serial;
    bool moves = !is_other && now_ms >= selector->denied_end_ms;
    if (moves) {
        selector->denied_end_ms = now_ms + IDEM__DENIED_MS;
        move_on(selector);
    }
    pthread_mutex_unlock(&selector->lock);
    return is_other || moves;
}

/* The lock is held. One of the URI's own is met there, so that what follows it
 * in the list is next. */
static void move_to(idem__selector *selector, const idem__endpoint *endpoint) {
    const idem__uri *uri = selector->uri;
    selector->redirect = *endpoint;
    selector->has_redirect = true;
    for (uint32_t i = 0; i < uri->endpoints_count; i++) {
        if (!idem__endpoint_same(&uri->endpoints[i], endpoint))
            continue;
        selector->index = i;
        selector->has_redirect = false;
        break;
    }
    selector->shards = 0;
    atomic_fetch_add(&selector->serial, 1);
}

void idem__selector_redirect(idem__selector *selector, uint64_t serial,
                             const char *primary) {
    idem__endpoint endpoint;
    bool named = idem__endpoint_parse(primary, strlen(primary), &endpoint);
    pthread_mutex_lock(&selector->lock);
    if (atomic_load(&selector->serial) != serial) {
        /* Another thread has heard it already. */
    } else if (named) {
        move_to(selector, &endpoint);
    } else {
        move_on(selector);
    }
    pthread_mutex_unlock(&selector->lock);
}

bool idem__leads(const idp_hello *hello) {
    return strcmp(hello->role, "replica") != 0;
}

/* Whether a primary may be believed; the lock is held. Not one whose epoch is
 * lower than another primary's was: it may be cut off, and not know yet that
 * it was replaced. One that comes back by itself may tell what it likes. */
static bool is_believed(idem__selector *selector,
                        const idem__heard_hello *heard) {
    uint64_t epoch = heard->hello->epoch;
    if (!idem__leads(heard->hello))
        return true; /* it names the primary, or none */
    if (epoch < selector->epoch &&
        !idem__endpoint_same(heard->endpoint, &selector->epoch_at)) {
        if (selector->doubt_end_ms == 0)
            selector->doubt_end_ms = heard->now_ms + IDEM__DOUBT_MS;
        if (heard->now_ms < selector->doubt_end_ms)
            return false;
    }
    selector->epoch = epoch;
    selector->epoch_at = *heard->endpoint;
    selector->doubt_end_ms = 0;
    return true;
}

bool idem__selector_learn(idem__selector *selector,
                          const idem__heard_hello *heard, idem_error *err) {
    const idp_hello *hello = heard->hello;
    const char *name = heard->endpoint->name;
    pthread_mutex_lock(&selector->lock);
    bool believed = is_believed(selector, heard);
    if (!believed)
        idem__fail_at(
            err, IDEM_E_CONNECT, (idem__where){.endpoint = name},
            "%s calls itself the primary of epoch %llu, but %s was "
            "the primary of epoch %llu; if the older one is meant "
            "to go on, it is believed after %u s",
            name, (unsigned long long)hello->epoch, selector->epoch_at.name,
            (unsigned long long)selector->epoch, IDEM__DOUBT_MS / 1000);
    if (believed && atomic_load(&selector->serial) == heard->serial) {
        /* A replica only says where to go: one connection is enough. */
        bool spread = selector->uri->shard_aware && idem__leads(hello);
        selector->shards = spread ? hello->shards : 1;
        memcpy(selector->hash_key, hello->hash_key, sizeof selector->hash_key);
    }
    if (believed && idem__leads(hello))
        idem__watch_primary(selector->watch,
                            (idem__seen){name, -1, hello->epoch});
    pthread_mutex_unlock(&selector->lock);
    return believed;
}

void idem__selector_unlearn(idem__selector *selector, uint64_t serial) {
    pthread_mutex_lock(&selector->lock);
    if (atomic_load(&selector->serial) == serial) {
        selector->shards = 0;
        atomic_fetch_add(&selector->serial, 1);
    }
    pthread_mutex_unlock(&selector->lock);
}

bool idem__selector_route(idem__selector *selector, idp_slice ns, idp_slice key,
                          uint32_t *shard) {
    uint8_t hash_key[IDP_HASH_KEY_BYTES];
    pthread_mutex_lock(&selector->lock);
    uint32_t shards = selector->shards;
    memcpy(hash_key, selector->hash_key, sizeof hash_key);
    pthread_mutex_unlock(&selector->lock);
    *shard = 0;
    if (shards > 1 && key.len > 0)
        *shard = idp_owner_shard(idp_owner_hash(hash_key, ns, key), shards);
    return shards > 0;
}

void idem__selector_good(idem__selector *selector, idem__addr *good) {
    pthread_mutex_lock(&selector->lock);
    *good = selector->good;
    pthread_mutex_unlock(&selector->lock);
}

void idem__selector_set_good(idem__selector *selector, const idem__addr *good) {
    pthread_mutex_lock(&selector->lock);
    selector->good = *good;
    pthread_mutex_unlock(&selector->lock);
}
