/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox_race.c -- several threads post, one takes and sleeps: nothing is
 * lost, doubled or overtaken, and nobody sleeps through its messages.
 *
 * A plain main, so that it runs under ThreadSanitizer too. */
#include "server/worker/message.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define SENDERS 4
#define BATCHES 20000
#define CELLS   16

static ids_mailbox box;
static sem_t bell; /* stands for uv_async_send */
static atomic_uint_least64_t wakes;

static void fail(const char *what) {
    fprintf(stderr, "mailbox_race: %s\n", what);
    exit(1);
}

static void *send_all(void *arg) {
    ids_message message = {.asker = (uintptr_t)arg, .kind = IDS_MESSAGE_REPLY};
    for (uint32_t i = 0; i < BATCHES; i++) {
        bool wake;
        ids_message_batch *batch = ids_message_batch_new();
        message.msgid = i;
        message.body_bytes = i % 50;
        if (!batch || !ids_message_append(batch, &message, NULL))
            fail("out of memory");
        while (!ids_mailbox_post(&box, batch, &wake))
            sched_yield();
        if (wake) {
            atomic_fetch_add(&wakes, 1);
            sem_post(&bell);
        }
    }
    return NULL;
}

static void open_batch(ids_message_batch *batch, uint32_t *next) {
    size_t at = 0;
    ids_message message;
    uint8_t *body;
    while (ids_message_next(batch, &at, &message, &body)) {
        if (message.asker >= SENDERS || message.msgid != next[message.asker])
            fail("a batch is lost, doubled or overtaken");
        if (message.body_bytes != message.msgid % 50)
            fail("a batch is damaged");
        next[message.asker]++;
    }
    ids_message_batch_free(batch);
}

static void take_all(void) {
    uint32_t next[SENDERS] = {0};
    uint64_t taken = 0, slept = 0;
    while (taken < (uint64_t)SENDERS * BATCHES) {
        ids_message_batch *batch = ids_mailbox_take(&box);
        if (batch) {
            open_batch(batch, next);
            taken++;
        } else if (ids_mailbox_sleep(&box)) {
            slept++;
            sem_wait(&bell); /* hangs if a wake-up is ever lost */
            ids_mailbox_awake(&box);
        }
    }
    printf("%llu batches, slept %llu times, woken %llu times\n",
           (unsigned long long)taken, (unsigned long long)slept,
           (unsigned long long)atomic_load(&wakes));
}

int main(void) {
    pthread_t senders[SENDERS];
    sem_init(&bell, 0, 0);
    if (!ids_mailbox_init(&box, CELLS))
        fail("out of memory");
    for (uintptr_t i = 0; i < SENDERS; i++)
        if (pthread_create(&senders[i], NULL, send_all, (void *)i))
            fail("no thread");
    take_all();
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    if (ids_mailbox_take(&box) || ids_mailbox_bytes(&box))
        fail("something is left");
    ids_mailbox_fini(&box);
    return 0;
}
