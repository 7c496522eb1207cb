/* SPDX-License-Identifier: Apache-2.0 */
/* target.c -- see target.h. */
#include "client/src/target.h"

#include <string.h>

#include "client/src/error.h"
#include "proto/owner.h"

void idem__target_init(idem__target *target, const idem__uri *uri) {
    memset(target, 0, sizeof *target);
    target->uri = uri;
    atomic_init(&target->serial, 1);
    pthread_mutex_init(&target->lock, NULL);
}

void idem__target_fini(idem__target *target) {
    pthread_mutex_destroy(&target->lock);
}

uint64_t idem__target_get(idem__target *target, idem__endpoint *endpoint) {
    pthread_mutex_lock(&target->lock);
    *endpoint = target->has_redirect ? target->redirect
                                     : target->uri->endpoints[target->index];
    uint64_t serial = atomic_load(&target->serial);
    pthread_mutex_unlock(&target->lock);
    return serial;
}

/* The lock is held. */
static void move_on(idem__target *target) {
    uint32_t count = target->uri->endpoints_count;
    if (count == 1 && !target->has_redirect)
        return; /* there is no other */
    target->has_redirect = false;
    target->index = (target->index + 1) % count;
    target->shards = 0;
    atomic_fetch_add(&target->serial, 1);
}

void idem__target_failed(idem__target *target, uint64_t serial) {
    pthread_mutex_lock(&target->lock);
    if (atomic_load(&target->serial) == serial)
        move_on(target);
    pthread_mutex_unlock(&target->lock);
}

/* The lock is held. One of the URI's own is met there, so that what follows it
 * in the list is next. */
static void move_to(idem__target *target, const idem__endpoint *endpoint) {
    const idem__uri *uri = target->uri;
    target->redirect = *endpoint;
    target->has_redirect = true;
    for (uint32_t i = 0; i < uri->endpoints_count; i++) {
        if (!idem__endpoint_same(&uri->endpoints[i], endpoint))
            continue;
        target->index = i;
        target->has_redirect = false;
        break;
    }
    target->shards = 0;
    atomic_fetch_add(&target->serial, 1);
}

void idem__target_redirect(idem__target *target, uint64_t serial,
                           const char *primary) {
    idem__endpoint endpoint;
    bool named = idem__endpoint_parse(primary, strlen(primary), &endpoint);
    pthread_mutex_lock(&target->lock);
    if (atomic_load(&target->serial) != serial) {
        /* Another thread has heard it already. */
    } else if (named) {
        move_to(target, &endpoint);
    } else {
        move_on(target);
    }
    pthread_mutex_unlock(&target->lock);
}

bool idem__leads(const idp_hello *hello) {
    return strcmp(hello->role, "replica") != 0;
}

/* Whether a primary may be believed; the lock is held. Not one whose epoch is
 * lower than another primary's was: it may be cut off, and not know yet that
 * it was replaced. One that comes back by itself may tell what it likes. */
static bool is_believed(idem__target *target, const idem__greeted *greeted) {
    uint64_t epoch = greeted->hello->epoch;
    if (!idem__leads(greeted->hello))
        return true; /* it names the primary, or none */
    if (epoch < target->epoch &&
        !idem__endpoint_same(greeted->endpoint, &target->epoch_at)) {
        if (target->doubt_end_ms == 0)
            target->doubt_end_ms = greeted->now_ms + IDEM__DOUBT_MS;
        if (greeted->now_ms < target->doubt_end_ms)
            return false;
    }
    target->epoch = epoch;
    target->epoch_at = *greeted->endpoint;
    target->doubt_end_ms = 0;
    return true;
}

bool idem__target_learn(idem__target *target, const idem__greeted *greeted,
                        idem_error *err) {
    const idp_hello *hello = greeted->hello;
    const char *name = greeted->endpoint->name;
    pthread_mutex_lock(&target->lock);
    bool believed = is_believed(target, greeted);
    if (!believed)
        idem__fail_at(err, IDEM_E_CONNECT, (idem__where){.endpoint = name},
                      "%s calls itself the primary of epoch %llu, but %s was "
                      "the primary of epoch %llu; if the older one is meant "
                      "to go on, it is believed after %u s",
                      name, (unsigned long long)hello->epoch,
                      target->epoch_at.name, (unsigned long long)target->epoch,
                      IDEM__DOUBT_MS / 1000);
    if (believed && atomic_load(&target->serial) == greeted->serial) {
        /* A replica only says where to go: one connection is enough. */
        bool spread = target->uri->shard_aware && idem__leads(hello);
        target->shards = spread ? hello->shards : 1;
        memcpy(target->hash_key, hello->hash_key, sizeof target->hash_key);
    }
    if (believed && idem__leads(hello))
        idem__watch_primary(target->watch,
                            (idem__seen){name, -1, hello->epoch});
    pthread_mutex_unlock(&target->lock);
    return believed;
}

void idem__target_unlearn(idem__target *target, uint64_t serial) {
    pthread_mutex_lock(&target->lock);
    if (atomic_load(&target->serial) == serial) {
        target->shards = 0;
        atomic_fetch_add(&target->serial, 1);
    }
    pthread_mutex_unlock(&target->lock);
}

bool idem__target_route(idem__target *target, idp_slice ns, idp_slice key,
                        uint32_t *shard) {
    uint8_t hash_key[IDP_HASH_KEY_BYTES];
    pthread_mutex_lock(&target->lock);
    uint32_t shards = target->shards;
    memcpy(hash_key, target->hash_key, sizeof hash_key);
    pthread_mutex_unlock(&target->lock);
    *shard = 0;
    if (shards > 1 && key.len > 0)
        *shard = idp_owner_shard(idp_owner_hash(hash_key, ns, key), shards);
    return shards > 0;
}

void idem__target_good(idem__target *target, idem__addr *good) {
    pthread_mutex_lock(&target->lock);
    *good = target->good;
    pthread_mutex_unlock(&target->lock);
}

void idem__target_set_good(idem__target *target, const idem__addr *good) {
    pthread_mutex_lock(&target->lock);
    target->good = *good;
    pthread_mutex_unlock(&target->lock);
}
