/* target.c -- see target.h. */
#include "client/src/target.h"

#include <string.h>

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

void idem__target_redirect(idem__target *target, uint64_t serial,
                           const char *text, size_t len) {
    idem__endpoint endpoint;
    bool named = idem__endpoint_parse(text, len, &endpoint);
    pthread_mutex_lock(&target->lock);
    if (atomic_load(&target->serial) != serial) {
        /* Another thread has heard it already. */
    } else if (!named) {
        move_on(target);
    } else {
        target->redirect = endpoint;
        target->has_redirect = true;
        target->shards = 0;
        atomic_fetch_add(&target->serial, 1);
    }
    pthread_mutex_unlock(&target->lock);
}

void idem__target_learn(idem__target *target, uint64_t serial,
                        const idp_hello *hello) {
    pthread_mutex_lock(&target->lock);
    if (atomic_load(&target->serial) == serial) {
        target->shards = target->uri->shard_aware ? hello->shards : 1;
        memcpy(target->hash_key, hello->hash_key, sizeof target->hash_key);
    }
    pthread_mutex_unlock(&target->lock);
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
