/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox_race.c -- several threads post, one takes and sleeps: nothing is
 * lost, doubled or overtaken, and nobody sleeps through its mail.
 *
 * A plain main, so that it runs under ThreadSanitizer too. */
#include "server/mail.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define SENDERS 4
#define PARCELS 20000
#define CELLS   16

static ids_mailbox box;
static sem_t bell; /* stands for uv_async_send */
static atomic_uint_least64_t wakes;

static void fail(const char *what) {
    fprintf(stderr, "mailbox_race: %s\n", what);
    exit(1);
}

static void *send_all(void *arg) {
    ids_mail mail = {.asker = (uintptr_t)arg, .kind = IDS_MAIL_REPLY};
    for (uint32_t i = 0; i < PARCELS; i++) {
        bool wake;
        ids_parcel *parcel = ids_parcel_new();
        mail.msgid = i;
        mail.body_bytes = i % 50;
        if (!parcel || !ids_mail_append(parcel, &mail, NULL))
            fail("out of memory");
        while (!ids_mailbox_post(&box, parcel, &wake))
            sched_yield();
        if (wake) {
            atomic_fetch_add(&wakes, 1);
            sem_post(&bell);
        }
    }
    return NULL;
}

static void open_parcel(ids_parcel *parcel, uint32_t *next) {
    size_t at = 0;
    ids_mail mail;
    uint8_t *body;
    while (ids_mail_next(parcel, &at, &mail, &body)) {
        if (mail.asker >= SENDERS || mail.msgid != next[mail.asker])
            fail("a parcel is lost, doubled or overtaken");
        if (mail.body_bytes != mail.msgid % 50)
            fail("a parcel is damaged");
        next[mail.asker]++;
    }
    ids_parcel_free(parcel);
}

static void take_all(void) {
    uint32_t next[SENDERS] = {0};
    uint64_t taken = 0, slept = 0;
    while (taken < (uint64_t)SENDERS * PARCELS) {
        ids_parcel *parcel = ids_mailbox_take(&box);
        if (parcel) {
            open_parcel(parcel, next);
            taken++;
        } else if (ids_mailbox_sleep(&box)) {
            slept++;
            sem_wait(&bell); /* hangs if a wake-up is ever lost */
            ids_mailbox_awake(&box);
        }
    }
    printf("%llu parcels, slept %llu times, woken %llu times\n",
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
