/* SPDX-License-Identifier: Apache-2.0 */
/* renew.c -- see renew.h. */
#include "client/src/renew.h"

#include <assert.h>
#include <string.h>

#include "client/src/client.h"
#include "client/src/mem.h"
#include "client/src/thread.h"
#include "proto/terms.h"

void idem__renewer_init(idem__renewer *renewer, idem_client *client) {
    memset(renewer, 0, sizeof *renewer);
    renewer->client = client;
    pthread_mutex_init(&renewer->lock, NULL);
    idem__cond_init(&renewer->changed);
}

void idem__renewer_fini(idem__renewer *renewer) {
    pthread_mutex_lock(&renewer->lock);
    assert(renewer->first == NULL);
    renewer->closing = true;
    pthread_cond_signal(&renewer->changed);
    pthread_mutex_unlock(&renewer->lock);
    if (renewer->running)
        pthread_join(renewer->thread, NULL);
    pthread_cond_destroy(&renewer->changed);
    pthread_mutex_destroy(&renewer->lock);
}

/* --------------------------------------------------------------- one lease */

static void note_granted(idem__lease *lease, const idem__times *times) {
    idem__term term = idem__term_of(lease->args.lease_ms, *times);
    atomic_store(&lease->most_ms, term.most_ms);
    atomic_store(&lease->end_ms, term.end_ms);
    lease->due_ms = term.due_ms;
}

idem__lease *idem__lease_new(const idem_args *args, const idem__times *times) {
    size_t ns_len = args->ns != NULL ? args->ns_len : 0;
    idem__lease *lease =
        idem__calloc(sizeof *lease + ns_len + args->key_len + 1);
    if (lease == NULL)
        return NULL;
    lease->args = (idem_args){.size = sizeof lease->args,
                              .ns_len = ns_len,
                              .key = lease->bytes + ns_len,
                              .key_len = args->key_len,
                              .token = args->token,
                              .lease_ms = args->lease_ms};
    if (args->ns != NULL)
        lease->args.ns = (const char *)lease->bytes;
    if (ns_len > 0)
        memcpy(lease->bytes, args->ns, ns_len);
    memcpy(lease->bytes + ns_len, args->key, args->key_len);
    note_granted(lease, times);
    return lease;
}

bool idem__lease_is_lost(const idem__lease *lease) {
    return atomic_load(&lease->lost) ||
           idem_now_ms() >= atomic_load(&lease->end_ms);
}

uint64_t idem__lease_left_ms(const idem__lease *lease) {
    uint64_t now_ms = idem_now_ms();
    uint64_t most_ms = atomic_load(&lease->most_ms);
    return most_ms > now_ms ? most_ms - now_ms : 0;
}

/* ------------------------------------------------------------- the thread */

static void unlink_lease(idem__renewer *renewer, idem__lease *lease) {
    if (lease->prev != NULL)
        lease->prev->next = lease->next;
    else
        renewer->first = lease->next;
    if (lease->next != NULL)
        lease->next->prev = lease->prev;
    lease->prev = NULL;
    lease->next = NULL;
}

/* The one that has waited longest; counts those that are due. */
static idem__lease *next_due(const idem__renewer *renewer, uint64_t now_ms,
                             uint32_t *due) {
    idem__lease *next = NULL;
    *due = 0;
    for (idem__lease *at = renewer->first; at != NULL; at = at->next) {
        if (atomic_load_explicit(&at->lost, memory_order_relaxed))
            continue;
        *due += at->due_ms <= now_ms;
        if (next == NULL || at->due_ms < next->due_ms)
            next = at;
    }
    return next;
}

/* The time that one renewal may take: all that are due get their turn while
 * this one's lease runs. */
static uint32_t ask_ms(const idem__lease *lease, uint32_t due,
                       uint64_t now_ms) {
    uint64_t end_ms = atomic_load(&lease->end_ms);
    uint64_t left_ms = lease->args.lease_ms / 3;
    if (end_ms > now_ms + left_ms)
        left_ms = end_ms - now_ms;
    left_ms /= due + 1;
    return left_ms > IDEM__ASK_MS_MIN ? (uint32_t)left_ms : IDEM__ASK_MS_MIN;
}

/* Without the lock. True when the server has answered. */
static bool renew_lease(idem__renewer *renewer, idem__lease *lease,
                        uint32_t due) {
    idem_answer answer = {.size = sizeof answer};
    idem__times times;
    idem_args args = lease->args;
    args.timeout_ms = ask_ms(lease, due, idem_now_ms());
    int32_t code = idem__client_call(renewer->client, IDEM_RENEW, &args,
                                     &answer, NULL, &times);
    if (code != 0)
        return false;
    if (answer.outcome == IDEM_RENEWED)
        note_granted(lease, &times);
    else
        atomic_store(&lease->lost, true);
    idem_answer_fini(&answer);
    return true;
}

static void renew_next(idem__renewer *renewer, idem__lease *lease,
                       uint32_t due) {
    renewer->asking = lease;
    pthread_mutex_unlock(&renewer->lock);
    bool answered = renew_lease(renewer, lease, due);
    pthread_mutex_lock(&renewer->lock);
    renewer->asking = NULL;
    if (lease->ended) {
        idem__free(lease);
        return;
    }
    if (!answered)
        lease->due_ms =
            idem_now_ms() + idem__term_again_ms(lease->args.lease_ms);
}

static void renewer_sleep_until(idem__renewer *renewer, uint64_t until_ms) {
    renewer->wake_ms = until_ms;
    idem__cond_wait(&renewer->changed, &renewer->lock, until_ms);
    renewer->wake_ms = 0;
}

static void *keep_renewing(void *arg) {
    idem__renewer *renewer = arg;
    pthread_mutex_lock(&renewer->lock);
    while (!renewer->closing) {
        uint32_t due = 0;
        uint64_t now_ms = idem_now_ms();
        idem__lease *lease = next_due(renewer, now_ms, &due);
        if (lease != NULL && lease->due_ms <= now_ms)
            renew_next(renewer, lease, due);
        else
            renewer_sleep_until(renewer,
                                lease != NULL ? lease->due_ms : UINT64_MAX);
    }
    pthread_mutex_unlock(&renewer->lock);
    return NULL;
}

bool idem__lease_keep(idem__renewer *renewer, idem__lease *lease) {
    pthread_mutex_lock(&renewer->lock);
    if (!renewer->running)
        renewer->running =
            idem__thread_start(&renewer->thread, keep_renewing, renewer);
    bool kept = renewer->running;
    if (kept) {
        lease->next = renewer->first;
        if (lease->next != NULL)
            lease->next->prev = lease;
        renewer->first = lease;
        if (lease->due_ms < renewer->wake_ms)
            pthread_cond_signal(&renewer->changed);
    }
    pthread_mutex_unlock(&renewer->lock);
    return kept;
}

void idem__lease_end(idem__renewer *renewer, idem__lease *lease) {
    pthread_mutex_lock(&renewer->lock);
    bool is_kept = lease->prev != NULL || renewer->first == lease;
    if (is_kept)
        unlink_lease(renewer, lease);
    lease->ended = true;
    bool is_asked = renewer->asking == lease;
    pthread_mutex_unlock(&renewer->lock);
    if (!is_asked)
        idem__free(lease);
}
