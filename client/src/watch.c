/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c -- see watch.h. */
#include "client/src/watch.h"

#include <stdio.h>
#include <string.h>

#include "client/src/client.h"
#include "client/src/sized.h"

void idem__watch_init(idem__watch *watch) {
    idem_event_fn on_event = watch->on_event;
    void *ctx = watch->ctx;
    memset(watch, 0, sizeof *watch);
    watch->on_event = on_event;
    watch->ctx = ctx;
    pthread_mutex_init(&watch->lock, NULL);
}

/* The lock is held. Where the next event is to be written, or NULL. */
static idem_event *next_event(idem__watch *watch, int32_t event) {
    uint32_t pending = atomic_load(&watch->pending);
    if (watch->on_event == NULL)
        return NULL;
    if (pending == IDEM__EVENTS_MAX) {
        watch->events_lost++;
        return NULL;
    }
    idem_event *to =
        &watch->events[(watch->first + pending) % IDEM__EVENTS_MAX];
    *to = (idem_event){.size = sizeof *to, .event = event, .shard = -1};
    to->is_trouble =
        event == IDEM_EVENT_LOST || event == IDEM_EVENT_CHANGES_WAIT;
    atomic_store(&watch->pending, pending + 1);
    return to;
}

static void put_event(idem__watch *watch, int32_t event, idem__seen seen,
                      const char *text) {
    idem_event *to = next_event(watch, event);
    if (to == NULL)
        return;
    to->shard = seen.shard;
    to->epoch = seen.epoch;
    snprintf(to->endpoint, sizeof to->endpoint, "%s", seen.endpoint);
    snprintf(to->text, sizeof to->text, "%s", text);
}

static void tell_event(idem__watch *watch, int32_t event, idem__seen seen,
                       const char *text) {
    pthread_mutex_lock(&watch->lock);
    put_event(watch, event, seen, text);
    pthread_mutex_unlock(&watch->lock);
}

void idem__watch_connected(idem__watch *watch, idem__seen seen) {
    char text[256];
    if (watch == NULL)
        return;
    idem__watch_count(watch, IDEM__COUNT_CONNECTS);
    atomic_fetch_add(&watch->connections, 1);
    snprintf(text, sizeof text, "connected to %.200s", seen.endpoint);
    tell_event(watch, IDEM_EVENT_CONNECTED, seen, text);
}

void idem__watch_lost(idem__watch *watch, idem__seen seen, const char *why) {
    char text[256];
    if (watch == NULL)
        return;
    idem__watch_count(watch, IDEM__COUNT_LOSSES);
    atomic_fetch_sub(&watch->connections, 1);
    snprintf(text, sizeof text, "the connection to %.120s is lost: %.80s",
             seen.endpoint, why);
    tell_event(watch, IDEM_EVENT_LOST, seen, text);
}

void idem__watch_primary(idem__watch *watch, idem__seen seen) {
    char text[256];
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    bool is_new =
        *watch->primary != '\0' && strcmp(watch->primary, seen.endpoint) != 0;
    if (is_new) {
        idem__watch_count(watch, IDEM__COUNT_FOLLOWS);
        snprintf(text, sizeof text, "%.100s is the primary now, after %.100s",
                 seen.endpoint, watch->primary);
        put_event(watch, IDEM_EVENT_NEW_PRIMARY, seen, text);
    }
    watch->epoch = seen.epoch;
    snprintf(watch->primary, sizeof watch->primary, "%s", seen.endpoint);
    pthread_mutex_unlock(&watch->lock);
}

/* ----------------------------------------------------- changes that wait */

void idem__watch_changes_wait(idem__watch *watch, const char *endpoint) {
    char text[256];
    if (watch == NULL || atomic_exchange(&watch->changes_wait, true))
        return;
    snprintf(text, sizeof text,
             "changes wait: %.150s takes them and confirms none; is its "
             "replica silent?",
             endpoint);
    tell_event(watch, IDEM_EVENT_CHANGES_WAIT, (idem__seen){endpoint, -1, 0},
               text);
}

void idem__watch_changes_go_on(idem__watch *watch) {
    char text[256];
    if (watch == NULL ||
        !atomic_load_explicit(&watch->changes_wait, memory_order_relaxed) ||
        !atomic_exchange(&watch->changes_wait, false))
        return;
    pthread_mutex_lock(&watch->lock);
    snprintf(text, sizeof text, "changes go on: %.200s has confirmed one",
             watch->primary);
    put_event(watch, IDEM_EVENT_CHANGES_GO_ON,
              (idem__seen){watch->primary, -1, watch->epoch}, text);
    pthread_mutex_unlock(&watch->lock);
}

bool idem__watch_may_try(idem__watch *watch, uint64_t now_ms,
                         uint64_t every_ms) {
    uint64_t try_at_ms = atomic_load(&watch->try_at_ms);
    return now_ms >= try_at_ms &&
           atomic_compare_exchange_strong(&watch->try_at_ms, &try_at_ms,
                                          now_ms + every_ms);
}

void idem__watch_try_later(idem__watch *watch, uint64_t at_ms) {
    atomic_store(&watch->try_at_ms, at_ms);
}

/* ------------------------------------------------------ to whoever listens */

void idem__watch_tell_all(idem__watch *watch) {
    pthread_mutex_lock(&watch->lock);
    bool is_mine = !watch->telling; /* else another thread is at it */
    watch->telling = true;
    while (is_mine && atomic_load(&watch->pending) > 0) {
        idem_event event = watch->events[watch->first];
        idem_event_fn on_event = watch->on_event;
        void *ctx = watch->ctx;
        watch->first = (watch->first + 1) % IDEM__EVENTS_MAX;
        atomic_fetch_sub(&watch->pending, 1);
        pthread_mutex_unlock(&watch->lock);
        if (on_event != NULL)
            on_event(ctx, &event);
        pthread_mutex_lock(&watch->lock);
    }
    if (is_mine)
        watch->telling = false;
    pthread_mutex_unlock(&watch->lock);
}

void idem__watch_listen(idem__watch *watch, idem_event_fn on_event, void *ctx) {
    pthread_mutex_lock(&watch->lock);
    watch->on_event = on_event;
    watch->ctx = ctx;
    pthread_mutex_unlock(&watch->lock);
}

static uint64_t watch_count_of(idem__watch *watch, idem__count what) {
    return atomic_load_explicit(&watch->counts[what], memory_order_relaxed);
}

void idem__watch_status(idem__watch *watch, idem_status *status) {
    idem_status own = {
        .changes_wait = atomic_load(&watch->changes_wait),
        .connections = atomic_load(&watch->connections),
        .calls = watch_count_of(watch, IDEM__COUNT_CALLS),
        .repeats = watch_count_of(watch, IDEM__COUNT_REPEATS),
        .connects = watch_count_of(watch, IDEM__COUNT_CONNECTS),
        .losses = watch_count_of(watch, IDEM__COUNT_LOSSES),
        .follows = watch_count_of(watch, IDEM__COUNT_FOLLOWS),
        .unreplicated = watch_count_of(watch, IDEM__COUNT_UNREPLICATED),
        .timeouts = watch_count_of(watch, IDEM__COUNT_TIMEOUTS),
        .failed_fast = watch_count_of(watch, IDEM__COUNT_FAILED_FAST)};
    pthread_mutex_lock(&watch->lock);
    own.events_lost = watch->events_lost;
    own.epoch = watch->epoch;
    memcpy(own.primary, watch->primary, sizeof own.primary);
    pthread_mutex_unlock(&watch->lock);
    idem__sized_out(&idem__status_layout, status, &own);
}

int32_t idem_client_watch(idem_client *client, idem_event_fn on_event,
                          void *ctx) {
    int32_t code = idem__client_be_here(client, NULL);
    if (code == 0)
        idem__watch_listen(&client->watch, on_event, ctx);
    return code;
}

int32_t idem_client_status(idem_client *client, idem_status *status) {
    int32_t code =
        idem__sized_check(&idem__status_layout, status, "status", NULL);
    if (code == 0)
        code = idem__client_be_here(client, NULL);
    if (code == 0)
        idem__watch_status(&client->watch, status);
    return code;
}
